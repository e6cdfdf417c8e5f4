use super::CpuAccount;
use runtime_base::Clock;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_spent_quota_waits_for_the_next_period_and_pays_debts() {
    let clock = Clock::simulated(std::time::SystemTime::UNIX_EPOCH);
    let start = clock.monotonic();
    let ms = Duration::from_millis;
    // A fifth of a core: 20 ms of each 100 ms.
    let account = CpuAccount::new(Some(200), start);
    let charge = |ms: u64| account.charge(ms * 1_000_000);
    assert_eq!(account.throttled(start), None);
    charge(19);
    assert_eq!(account.throttled(start), None);
    charge(1);
    assert_eq!(account.throttled(start), Some(start + ms(100)));
    // A debt of 50 ms takes two periods more, and a bit of the third.
    charge(50);
    assert_eq!(account.throttled(start), Some(start + ms(300)));
    assert_eq!(account.throttled(start + ms(299)), Some(start + ms(300)));
    assert_eq!(account.throttled(start + ms(300)), None);
    // Idle time is not saved up.
    assert_eq!(account.throttled(start + ms(10_000)), None);
    charge(20);
    assert_eq!(account.throttled(start + ms(10_000)), Some(start + ms(10_100)));
    account.set_quota(None, start + ms(10_000));
    assert_eq!(account.throttled(start + ms(10_000)), None);
    assert_eq!(account.used_ns(), 90_000_000);
}
