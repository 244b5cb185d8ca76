//! Where a release comes from: `--url`, and the checksums that it is held against.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::fixture::{Kind, Machine};

/// Serves `files` (path, content) over HTTP on a port of its own, for as long as the test runs.
fn serve(files: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let found = files.iter().find(|(name, _)| *name == path);
            let (status, body) = match found {
                Some((_, body)) => ("200 OK", &body[..]),
                None => ("404 Not Found", &b""[..]),
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(body);
        }
    });
    format!("http://{address}")
}

fn output(folder: &Path, program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_release_from_the_network_is_taken_with_the_right_checksum_only() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let machine = Machine::new();
    let first = machine.install("first");
    let version = machine.current();
    machine.release("second", Kind::Good);
    let tarball = output(&machine.path(""), "tar", &["-czf", "-", "second"]);
    std::fs::write(machine.path("second.tar.gz"), &tarball).unwrap();
    let sum = output(&machine.path(""), "sha256sum", &["second.tar.gz"]);
    let wrong = "0".repeat(64);
    let site = serve(vec![
        ("/second.tar.gz", tarball.clone()),
        ("/second.tar.gz.sha256", sum.clone()),
        ("/damaged.tar.gz", tarball[..tarball.len() / 2].to_vec()),
        ("/damaged.tar.gz.sha256", sum),
        ("/bare.tar.gz", tarball),
    ]);
    let url = |name: &str| format!("{site}/{name}.tar.gz");
    let upgrade = |args: &[&str]| machine.run(&first, &[&["--upgrade"], args].concat());

    let said = upgrade(&["--url", &url("damaged")]).expect_code(1);
    assert!(said.contains("has the checksum"), "{said}");
    let said = upgrade(&["--url", &url("second"), "--sha256", &wrong]).expect_code(1);
    assert!(said.contains(&wrong), "{said}");
    let said = upgrade(&["--url", &url("second"), "--sha256", "abc"]).expect_code(1);
    assert!(said.contains("no SHA-256"), "{said}");
    let said = upgrade(&["--url", &url("bare")]).expect_code(1);
    assert!(said.contains("bare.tar.gz.sha256 cannot be had"), "{said}");
    let said = upgrade(&["--url", "http://example.com/x.tar.gz"]).expect_code(1);
    assert!(said.contains("is not https"), "{said}");
    assert_eq!(machine.current(), version, "nothing of that was installed");

    upgrade(&["--url", &url("second")]).expect_code(0);
    assert_ne!(machine.current(), version);
    assert!(machine.is_well());
}

#[test]
fn a_release_that_was_changed_on_the_way_is_refused() {
    let machine = Machine::new();
    let release = machine.release("first", Kind::Good);
    let sums =
        output(&release, "sha256sum", &["dream-bff", "install.sh", "systemd/dream-bff.service"]);
    std::fs::write(release.join("SHA256SUMS"), sums).unwrap();
    std::fs::write(release.join("systemd/dream-bff.service"), "[Service]\nUser=root\n").unwrap();

    let said = machine.run(&release, &[]).expect_code(1);

    assert!(said.contains("systemd/dream-bff.service: FAILED"), "{said}");
    assert!(!machine.path("opt/dream-bff/versions").exists());
}
