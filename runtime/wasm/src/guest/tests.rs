use super::program_name;

#[test]
fn a_program_is_named_after_its_image() {
    #[track_caller]
    fn check(reference: &str, name: &str) {
        assert_eq!(program_name(reference), name);
    }
    check("hello", "hello");
    check("registry.test:5000/team/app:v1", "app");
    check("registry.test:5000/team/app@sha256:00ff", "app");
    check("team/app:v1@sha256:00ff", "app");
    check("file:///home/me/target/app.wasm", "app");
}
