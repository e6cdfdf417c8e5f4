use super::{Ticker, engine};
use std::time::{Duration, Instant};

#[test]
#[expect(clippy::disallowed_methods, reason = "the ticker lives in real time")]
fn the_epoch_stands_still_while_nothing_runs() {
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
            std::thread::yield_now();
        }
    };
    let ticker = Ticker::start(&engine().unwrap()).unwrap();
    wait("parked", &|| ticker.is_parked());
    let running = ticker.enter();
    wait("awake", &|| !ticker.is_parked());
    drop(running);
    wait("parked again", &|| ticker.is_parked());
}
