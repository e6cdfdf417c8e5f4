use super::super::messages::{KeyValue, RangeResponse, ResponseHeader};
use super::*;

#[test]
fn endpoints_are_urls_of_hosts() {
    let good = Endpoint::parse("https://[::1]:4001").unwrap();
    assert_eq!((&*good.host, good.port, good.tls), ("::1", 4001, true));
    assert_eq!(Endpoint::parse("http://etcd.example").unwrap().port, 2379);
    for bad in ["", "etcd:2379", "unix:///run/etcd.sock", "http://a/b", "127.0.0.1:2379"] {
        let error = Endpoint::parse(bad).unwrap_err().to_string();
        assert!(error.contains("http://HOST:PORT"), "{error}");
    }
}

#[test]
fn messages_come_in_pieces_and_damaged_ones_are_errors() {
    let kvs = vec![KeyValue { key: "/k".into(), create_revision: 3, mod_revision: 7, value: "v".into() }];
    let message = RangeResponse { header: Some(ResponseHeader { revision: 9 }), kvs, more: true };
    let whole = framed(&message);
    let mut bytes = BytesMut::new();
    for byte in &whole[..whole.len() - 1] {
        bytes.put_u8(*byte);
        assert!(unframed::<RangeResponse>(&mut bytes).unwrap().is_none());
    }
    bytes.put_u8(whole[whole.len() - 1]);
    assert_eq!(unframed::<RangeResponse>(&mut bytes).unwrap(), Some(message));
    assert!(bytes.is_empty());
    for bad in [&[1, 0, 0, 0, 0][..], &[0, 0xff, 0xff, 0xff, 0xff], &[0, 0, 0, 0, 2, 0x0f, 0xff]] {
        assert!(unframed::<RangeResponse>(&mut BytesMut::from(bad)).is_err());
    }
}

#[test]
fn etcd_s_refusals_are_told_apart() {
    let told = |code: &str, message: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", code.parse().unwrap());
        headers.insert("grpc-message", message.parse().unwrap());
        outcome(&headers)
    };
    assert!(matches!(told("0", ""), Some(Ok(()))));
    let compacted = told("11", "etcdserver: mvcc: required revision has been compacted");
    assert!(matches!(compacted, Some(Err(CallError::Compacted))));
    let future = told("11", "etcdserver: mvcc: required revision is a future revision");
    assert!(matches!(future, Some(Err(CallError::Future))));
    let Some(Err(CallError::Store(StoreError::Full(text)))) = told("8", "etcdserver: mvcc: database space exceeded")
    else {
        panic!("a full etcd is a full store")
    };
    assert!(text.contains("etcdctl alarm disarm"), "{text}");
    assert!(matches!(told("8", "too many requests"), Some(Err(CallError::Store(StoreError::Overloaded)))));
    assert!(outcome(&HeaderMap::new()).is_none());
}
