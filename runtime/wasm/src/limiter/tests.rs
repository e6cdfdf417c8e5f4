use super::{Limiter, MemoryAccount, OutOfMemory};
use crate::limits::TABLE_ELEMENTS_MAX;
use wasmtime::ResourceLimiter;

#[test]
fn all_memories_of_all_instances_count_together() {
    let node = MemoryAccount::new(Some(150), None);
    let account = MemoryAccount::new(Some(100), Some(node.clone()));
    let (mut one, mut two) = (Limiter::new(account.clone()), Limiter::new(account.clone()));
    assert!(one.memory_growing(0, 60, None).unwrap());
    let error = two.memory_growing(0, 50, None).unwrap_err();
    assert_eq!(error.downcast_ref::<OutOfMemory>(), Some(&OutOfMemory::Container { limit: 100, used: 60, asked: 50 }));
    assert!(two.memory_growing(0, 40, None).unwrap());
    // Growing may fail after it was granted.
    two.memory_grow_failed(wasmtime::format_err!("no memory")).unwrap();
    assert_eq!((account.used(), node.used()), (60, 60));
    // The program's own maximum is its own affair.
    assert!(!one.memory_growing(60, 70, Some(65)).unwrap());
    one.memory_grow_failed(wasmtime::format_err!("over the maximum")).unwrap();
    assert_eq!(account.used(), 60);

    account.set_limit(None);
    let error = one.memory_growing(60, 200, None).unwrap_err();
    assert_eq!(error.downcast_ref::<OutOfMemory>(), Some(&OutOfMemory::Node { used: 60 }));
    drop((one, two));
    assert_eq!((account.used(), node.used()), (0, 0));
}

#[test]
fn tables_are_bounded_together() {
    let mut limiter = Limiter::new(MemoryAccount::new(None, None));
    assert!(limiter.table_growing(0, TABLE_ELEMENTS_MAX - 1, None).unwrap());
    assert!(!limiter.table_growing(0, 2, None).unwrap());
    assert!(limiter.table_growing(0, 1, None).unwrap());
}
