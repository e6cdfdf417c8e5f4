use super::*;

fn connection() -> (Connection, Connection) {
    let address = SocketAddr::from(([10, 0, 0, 2], 80));
    join((address, address), (address, address))
}

#[test]
fn dead_connections_make_room_and_live_ones_are_bounded() {
    let mut links = Links::new(100);
    for _ in 0..1000 {
        let (near, far) = connection();
        assert!(links.add(Link::pipes(&near, &far)));
    }
    let mut alive = Vec::new();
    let mut links = Links::new(100);
    for _ in 0..100 {
        let (near, far) = connection();
        assert!(links.add(Link::pipes(&near, &far)));
        alive.push((near, far));
    }
    let (near, far) = connection();
    assert!(!links.add(Link::pipes(&near, &far)));
    alive.pop();
    assert!(links.add(Link::pipes(&near, &far)));
}

#[test]
fn a_cut_connection_fails_at_both_ends() {
    let (near, far) = connection();
    cut_all(vec![Link::pipes(&near, &far)]);
    assert!(near.writer.room().is_err() && far.writer.room().is_err());
    assert!(near.reader.try_read(1).is_err() && far.reader.try_read(1).is_err());
}
