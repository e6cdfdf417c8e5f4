use super::End;
use runtime_spec::ExitReason;
use wasmtime_wasi::I32Exit;

#[test]
fn exit_codes_are_a_byte() {
    #[track_caller]
    fn check(exit: i32, code: i32, reason: ExitReason) {
        let end = End::of_error(&I32Exit(exit).into());
        assert_eq!((end.code, end.reason), (code, reason));
    }
    check(0, 0, ExitReason::Completed);
    check(3, 3, ExitReason::Error);
    check(256, 0, ExitReason::Completed);
    check(-1, 255, ExitReason::Error);
}
