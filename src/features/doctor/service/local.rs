//! What this machine tells by itself: settings, files, disk, addresses.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use url::Url;

use super::Patient;
use crate::base::bilingual::Bilingual;
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
        None => Finding::pass("settings", Bilingual::new("完整有效", "complete and valid")),
        Some(problem) => Finding::fail(
            "settings",
            Bilingual::new(format!("配置有误：{problem}"), problem.clone()),
            Bilingual::new(
                "在环境变量文件里改正；改好之前 `serve` 启动不了",
                "mend it in the environment file; `serve` does not start with it",
            ),
        ),
    }
}

pub(super) fn secrets(patient: &Patient) -> Finding {
    let weak = &patient.app.facts.weak_secrets;
    if weak.is_empty() {
        return Finding::pass("secrets", Bilingual::new("没有容易猜到的", "none can be guessed"));
    }
    let zh: Vec<_> = weak.iter().map(|(name, why)| format!("{name} {}", why.zh)).collect();
    let en: Vec<_> = weak.iter().map(|(name, why)| format!("{name} {}", why.en)).collect();
    Finding::fail(
        "secrets",
        Bilingual::new(zh.join("，"), en.join(", ")),
        Bilingual::new(
            "用 `openssl rand -base64 48` 生成新的；把旧的 JWT_SECRET 填到 JWT_SECRET_PREVIOUS，\
             用户就不必重新登录",
            "make a new one with `openssl rand -base64 48`; the old JWT_SECRET as \
             JWT_SECRET_PREVIOUS keeps everybody logged in",
        ),
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
        let text = Bilingual::new(
            "配置、密钥和数据都只有所有者能读",
            "settings, keys and data are their owner's alone",
        );
        return Finding::pass("file_modes", text);
    }
    let told: Vec<_> = open.iter().map(|path| path.display().to_string()).collect();
    let (listed, named) = (told.join(", "), told.join(" "));
    Finding::fail(
        "file_modes",
        Bilingual::new(
            format!("本机的其他用户能读到 {listed}"),
            format!("others of this machine can get at {listed}"),
        ),
        Bilingual::new(format!("执行 chmod go-rwx {named}"), format!("chmod go-rwx {named}")),
    )
}

pub(super) fn disk(patient: &Patient) -> Finding {
    let facts = &patient.app.facts;
    let Some(disk) = machine::disk(&facts.data_dir) else {
        let place = facts.data_dir.display();
        return Finding::warn(
            "disk",
            Bilingual::new(
                format!("无法得知：{place} 读不到"),
                format!("not known: {place} cannot be looked at"),
            ),
            Bilingual::new("检查 DATA_DIR 及其所有者", "check DATA_DIR and its owner"),
        );
    };
    let (free, total) = (disk.free_bytes / MIB, disk.total_bytes / MIB);
    let text = Bilingual::new(
        format!("剩余 {free} MiB，共 {total} MiB"),
        format!("{free} of {total} MiB free"),
    );
    let hint = Bilingual::new(
        "删除旧备份和日志，或换更大的磁盘：写满后无法写入",
        "make room (old backups, logs) or a larger disk: a full one stops all writes",
    );
    if disk.free_bytes < facts.min_free_disk_bytes {
        return Finding::fail("disk", text, hint);
    }
    if disk.total_inodes > 0 && disk.free_inodes < disk.total_inodes / LOW_PART {
        let left = disk.free_inodes;
        let text = Bilingual::new(
            format!("{}，而且只能再建 {left} 个文件", text.zh),
            format!("{}, and only {left} files can still be made", text.en),
        );
        let hint = Bilingual::new(
            "删除零碎的小文件，或重建文件系统",
            "remove small files, or make the file system anew",
        );
        return Finding::warn("disk", text, hint);
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
            let text =
                Bilingual::new(format!("从 {ip} 访问外网"), format!("calls leave from {ip}"));
            Finding::pass(CHECK, text).with_hint(Bilingual::new(
                "把它加入小程序的 IP 白名单（商户平台设了白名单的，也加进去）",
                "put it on the IP white list of the mini-program (and of the merchant, if one is set)",
            ))
        }
        Ok(ip) => {
            let text = Bilingual::new(
                format!("从 {ip} 访问外网，这是内网地址"),
                format!("calls leave from {ip}, an address of a private network"),
            );
            Finding::pass(CHECK, text).with_hint(Bilingual::new(
                "把公网地址加入微信的 IP 白名单；云控制台上能看到，本机不知道",
                "put the public address on WeChat's IP white list; the cloud's console shows it, this \
                 machine does not know it",
            ))
        }
        Err(_) => Finding::warn(
            CHECK,
            Bilingual::new(
                "无法得知：本机出不了外网",
                "not known: there is no way out of this machine",
            ),
            Bilingual::new("检查本机的网络和默认路由", "check its network and default route"),
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
    let text = Bilingual::new(
        format!("request 合法域名：{request}  uploadFile：{request}  downloadFile：{download}"),
        format!("request: {request}  upload: {request}  download: {download}"),
    );
    if downloads.iter().any(|domain| !domain.starts_with("https://")) {
        return Finding::warn(
            CHECK,
            text,
            Bilingual::new(
                "微信只接受 https 域名：请把 PUBLIC_URL（和 MEDIA_BASE_URL）设成 https 地址",
                "WeChat takes https names only: set PUBLIC_URL (and MEDIA_BASE_URL) to such",
            ),
        );
    }
    Finding::pass(CHECK, text).with_hint(Bilingual::new(
        "填到微信公众平台的「开发设置 → 服务器域名」",
        "paste them in the mini-program console, Development settings, Server domains",
    ))
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
