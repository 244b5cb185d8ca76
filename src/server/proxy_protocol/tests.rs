use proptest::prelude::*;

use super::*;

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([0x20 | command, family]);
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn v2_of(source: SocketAddr, target: SocketAddr, more: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let family = match (source.ip(), target.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            body.extend(source.octets());
            body.extend(target.octets());
            0x11
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            body.extend(source.octets());
            body.extend(target.octets());
            0x21
        }
        _ => panic!("two families"),
    };
    body.extend(source.port().to_be_bytes());
    body.extend(target.port().to_be_bytes());
    body.extend(more);
    v2(1, family, &body)
}

fn v1_of(source: SocketAddr, target: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.port(), target.port());
    format!("PROXY {family} {} {} {from} {to}\r\n", source.ip(), target.ip()).into_bytes()
}

#[test]
fn the_examples_of_the_specification() {
    let line = b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
    let source = Some("255.255.255.255:65535".parse().unwrap());
    assert_eq!(parse(line), Parsed::Header { len: line.len(), source });
    let longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\nGET /";
    assert_eq!(parse(longest), Parsed::Header { len: longest.len() - 5, source: None });
    assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Parsed::Header { len: 15, source: None });
    assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Parsed::Absent);
    assert_eq!(parse(b"\x16\x03\x01"), Parsed::Absent);
    assert_eq!(parse(b""), Parsed::Incomplete);
}

#[test]
fn a_health_check_of_the_proxy_names_nobody() {
    let local = v2(0, 0x00, &[]);
    assert_eq!(parse(&local), Parsed::Header { len: 16, source: None });
    // Even if it adds addresses.
    let local = v2(0, 0x11, &[1; 12]);
    assert_eq!(parse(&local), Parsed::Header { len: 28, source: None });
}

#[test]
fn what_is_not_quite_a_header_is_refused() {
    for bad in [
        &b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n"[..],
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 056 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 +56 443\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 56 443\r\n",
        b"PROXY TCP4 ::1 ::1 56 443\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.1 56 443\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.1 56 443\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.1 56 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56 443 \r\n",
        b"PROXY \xff\r\n",
        &[b"PROXY TCP4 ".as_slice(), &[b'1'; 120]].concat(),
        &v2(2, 0x11, &[0; 12]),
        &v2(1, 0x11, &[0; 11]),
        &v2(1, 0x21, &[0; 35]),
        &v2(1, 0x12, &[0; 12]),
        &v2(1, 0x41, &[0; 12]),
        &v2(1, 0x11, &[0; MAX_HEADER]),
        b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
    ] {
        let shown = String::from_utf8_lossy(bad);
        assert!(matches!(parse(bad), Parsed::Malformed(_)), "{shown:?}: {:?}", parse(bad));
    }
}

fn same_family() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let four = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    let six = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    (prop_oneof![four, six], any::<(u16, u16)>())
        .prop_map(|((a, b), (p, q))| (SocketAddr::new(a, p), SocketAddr::new(b, q)))
}

proptest! {
    #[test]
    fn what_was_written_is_read_and_nothing_behind_it(
        (source, target) in same_family(),
        more in proptest::collection::vec(any::<u8>(), 0..200),
        after in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        for header in [v1_of(source, target), v2_of(source, target, &more)] {
            let len = header.len();
            let whole = [header.as_slice(), &after].concat();
            prop_assert_eq!(parse(&whole), Parsed::Header { len, source: Some(source) });
            // Any part of it wants more, and promises nothing.
            for cut in 0..len {
                prop_assert_eq!(parse(&header[..cut]), Parsed::Incomplete);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_take_more_than_there_is(
        start in prop_oneof![Just(&b""[..]), Just(&SIGNATURE[..]), Just(&WORD[..])],
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let whole = [start, &bytes].concat();
        if let Parsed::Header { len, .. } = parse(&whole) {
            prop_assert!(len <= whole.len() && len <= MAX_HEADER);
        }
    }

    #[test]
    fn reading_in_portions_gives_the_same_and_keeps_the_rest(
        (source, target) in same_family(),
        portion in 1_usize..40,
        binary in any::<bool>(),
    ) {
        let header = if binary { v2_of(source, target, &[]) } else { v1_of(source, target) };
        let whole = [header.as_slice(), b"GET / HTTP/1.1\r\n"].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (found, left) = runtime.block_on(async {
            let mut io = tokio_chunks(&whole, portion);
            let found = read(&mut io).await.unwrap();
            let mut left = Vec::new();
            io.read_to_end(&mut left).await.unwrap();
            (found, left)
        });
        prop_assert_eq!(found.source, Some(source));
        prop_assert_eq!([found.rest, left].concat(), b"GET / HTTP/1.1\r\n");
    }
}

/// A reader that gives at most `portion` bytes at a time.
fn tokio_chunks(bytes: &[u8], portion: usize) -> impl AsyncRead + Unpin {
    struct Chunks(Vec<u8>, usize, usize);
    impl AsyncRead for Chunks {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            let this = self.get_mut();
            let end = (this.1 + this.2.min(buf.remaining())).min(this.0.len());
            buf.put_slice(&this.0[this.1..end]);
            this.1 = end;
            std::task::Poll::Ready(Ok(()))
        }
    }
    Chunks(bytes.to_vec(), 0, portion)
}

#[tokio::test]
async fn a_connection_that_ends_in_its_header_is_an_error() {
    let cut = read(&mut &b"PROXY TCP4 192.0"[..]).await.unwrap_err();
    assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    let endless = read(&mut &[b"PROXY ".as_slice(), &[b'x'; 5000]].concat()[..]).await;
    assert_eq!(endless.unwrap_err().kind(), io::ErrorKind::InvalidData);
}
