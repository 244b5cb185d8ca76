//! This process, under the names that all programs use for it.

use super::text::{Families, number};
use crate::base::machine::{self, ProcessState};

pub(super) fn collect(families: &mut Families) {
    let process = machine::process();
    let read = |read: fn(&ProcessState) -> f64| process.as_ref().map(read);
    families.counters(
        "process_cpu_seconds",
        "Time on processors",
        read(|process| process.cpu_seconds).map(|value| (Vec::new(), value)),
    );
    families.gauge(
        "process_resident_memory_bytes",
        "Memory that is really there",
        read(|process| number(process.resident_bytes)),
    );
    families.gauge(
        "process_virtual_memory_bytes",
        "Memory that is set aside",
        read(|process| number(process.virtual_bytes)),
    );
    families.gauge("process_threads", "Threads", read(|process| number(process.threads)));
    families.gauge("process_open_fds", "Open files", read(|process| number(process.open_files)));
    families.gauge(
        "process_max_fds",
        "Files that may be open",
        process.as_ref().and_then(|process| process.max_files).map(number),
    );
    families.gauge(
        "process_start_time_seconds",
        "When the process was started, since 1970",
        read(|process| process.started_at),
    );
    families.gauges(
        "dream_build",
        "Always 1; the labels say what runs",
        [(
            vec![
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("schema", crate::db::schema_version().to_string()),
                ("sqlite", crate::db::sqlite_version().to_owned()),
            ],
            1.0,
        )],
    );
}
