//! What this machine tells by itself: settings, files, disk, addresses.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use url::Url;

use super::Patient;
use crate::base::machine;
use crate::features::doctor::model::Finding;

/// Less than this part of a disk or of its files left is worth a look.
const LOW_PART: u64 = 20;

/// An address out there, to see by which of ours the way to it leads. Nothing is sent.
const SOMEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(223, 5, 5, 5)), 53);

const MIB: u64 = 1024 * 1024;

/// Bits that let somebody besides the owner in.
const OTHERS: u32 = 0o077;

pub(super) fn settings(patient: &Patient) -> Finding {
    match &patient.app.facts.settings_problem {
        None => Finding::pass("settings", "complete and valid"),
        Some(problem) => Finding::fail(
            "settings",
            problem.clone(),
            "mend it in the environment file; `serve` does not start with it",
        ),
    }
}

pub(super) fn secrets(patient: &Patient) -> Finding {
    let weak = &patient.app.facts.weak_secrets;
    if weak.is_empty() {
        return Finding::pass("secrets", "none can be guessed");
    }
    let told: Vec<_> = weak.iter().map(|(name, why)| format!("{name} {why}")).collect();
    Finding::fail(
        "secrets",
        told.join(", "),
        "make a new one with `openssl rand -base64 48`; the old JWT_SECRET as JWT_SECRET_PREVIOUS \
         keeps everybody logged in",
    )
}

pub(super) fn file_modes(patient: &Patient) -> Finding {
    let facts = &patient.app.facts;
    let all = facts.private_files.iter().chain([&facts.data_dir, &facts.database]);
    let open: Vec<&PathBuf> = all
        .filter(|path| {
            // What is not there is nobody's to read.
            fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0)
        })
        .collect();
    if open.is_empty() {
        return Finding::pass("file_modes", "settings, keys and data are their owner's alone");
    }
    let told: Vec<_> = open.iter().map(|path| path.display().to_string()).collect();
    Finding::fail(
        "file_modes",
        format!("others of this machine can get at {}", told.join(", ")),
        format!("chmod go-rwx {}", told.join(" ")),
    )
}

pub(super) fn disk(patient: &Patient) -> Finding {
    let facts = &patient.app.facts;
    let Some(disk) = machine::disk(&facts.data_dir) else {
        return Finding::warn(
            "disk",
            format!("not known: {} cannot be looked at", facts.data_dir.display()),
            "check DATA_DIR and its owner",
        );
    };
    let text = format!("{} of {} MiB free", disk.free_bytes / MIB, disk.total_bytes / MIB);
    let hint = "make room (old backups, logs) or a larger disk: a full one stops all writes";
    if disk.free_bytes < facts.min_free_disk_bytes {
        return Finding::fail("disk", text, hint);
    }
    if disk.total_inodes > 0 && disk.free_inodes < disk.total_inodes / LOW_PART {
        let text = format!("{text}, and only {} files can still be made", disk.free_inodes);
        return Finding::warn("disk", text, "remove small files, or make the file system anew");
    }
    if disk.free_bytes < (facts.min_free_disk_bytes * 2).max(disk.total_bytes / LOW_PART) {
        return Finding::warn("disk", text, hint);
    }
    Finding::pass("disk", text)
}

pub(super) fn addresses(_: &Patient) -> Finding {
    const CHECK: &str = "wechat_ip_list";
    let found = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect(SOMEWHERE).and_then(|()| socket.local_addr()));
    match found.map(|address| address.ip()) {
        Ok(IpAddr::V4(ip)) if !is_private(ip) => {
            let text = format!("calls leave from {ip}");
            Finding::pass(CHECK, text).with_hint(
                "put it on the IP white list of the mini-program (and of the merchant, if one is set)",
            )
        }
        Ok(ip) => Finding::pass(
            CHECK,
            format!("calls leave from {ip}, an address of a private network"),
        )
        .with_hint(
            "put the public address on WeChat's IP white list; the cloud's console shows it, this \
                 machine does not know it",
        ),
        Err(_) => Finding::warn(
            CHECK,
            "not known: there is no way out of this machine",
            "check its network and default route",
        ),
    }
}

fn is_private(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    // 100.64/10: what providers put in front of many customers.
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || (a == 100 && (64..128).contains(&b))
}

pub(super) fn domains(patient: &Patient) -> Finding {
    const CHECK: &str = "wechat_domains";
    let facts = &patient.app.facts;
    let origin = |address: &str| {
        let url = Url::parse(address).ok()?;
        Some(format!("{}://{}", url.scheme(), url.host_str()?))
    };
    let ours = origin(&facts.public_url);
    let pictures = facts.media_base_url.as_deref().or(facts.bucket_endpoint.as_deref());
    let downloads: BTreeSet<String> =
        ours.iter().cloned().chain(pictures.and_then(origin)).collect();
    let request = ours.unwrap_or_default();
    let download = downloads.iter().map(String::as_str).collect::<Vec<_>>().join(";");
    let text = format!("request: {request}  upload: {request}  download: {download}");
    if downloads.iter().any(|domain| !domain.starts_with("https://")) {
        return Finding::warn(
            CHECK,
            text,
            "WeChat takes https names only: set PUBLIC_URL (and MEDIA_BASE_URL) to such",
        );
    }
    Finding::pass(CHECK, text)
        .with_hint("paste them in the mini-program console, Development settings, Server domains")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_outside_sees_are_told_from_public_ones() {
        for private in ["10.1.2.3", "192.168.0.4", "172.16.9.9", "100.64.0.1", "127.0.0.1"] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["1.2.3.4", "100.128.0.1", "43.138.1.1"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
