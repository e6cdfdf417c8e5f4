use super::*;
use crate::args::{Args, Command};
use clap::Parser;

/// The issuer that `coracle server` with these flags believes.
fn issuer(flags: &[&str]) -> Result<Option<OidcConfig>, String> {
    let words = ["coracle", "server"].iter().chain(flags);
    let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
    let Command::Server(server) = args.command else { panic!("another command") };
    oidc(&server.access.oidc).map_err(|error| format!("{error:#}"))
}

#[test]
fn the_flags_of_an_issuer_are_upstreams() {
    assert!(issuer(&[]).unwrap().is_none());
    let least = ["--oidc-issuer-url", "https://127.0.0.1:1/tenant", "--oidc-client-id", "coracle"];
    let config = issuer(&least).unwrap().unwrap();
    assert_eq!((&*config.issuer_url, &*config.client_id), ("https://127.0.0.1:1/tenant", "coracle"));
    assert_eq!((&*config.username_claim, config.username_prefix, config.groups_claim), ("sub", None, None));
    assert_eq!((config.signing_algs, config.ca), (vec!["RS256".to_owned()], None));

    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.crt");
    std::fs::write(&ca, "PEM").unwrap();
    let more = [
        "--oidc-username-claim=email",
        "--oidc-username-prefix=-",
        "--oidc-groups-claim=roles",
        "--oidc-groups-prefix=oidc:",
        "--oidc-required-claim=hd=example.com",
        "--oidc-required-claim=team=a=b",
        "--oidc-signing-algs=RS256,ES256",
    ];
    let file = format!("--oidc-ca-file={}", ca.display());
    let config = issuer(&[&least[..], &more, &[&file]].concat()).unwrap().unwrap();
    assert_eq!((&*config.username_claim, config.username_prefix.as_deref()), ("email", Some("-")));
    assert_eq!((config.groups_claim.as_deref(), &*config.groups_prefix), (Some("roles"), "oidc:"));
    let required: Vec<(&str, &str)> = config.required_claims.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(required, [("hd", "example.com"), ("team", "a=b")]);
    assert_eq!((config.signing_algs.len(), config.ca.as_deref()), (2, Some(&b"PEM"[..])));

    let missing = issuer(&[&least[..], &["--oidc-ca-file=/none/ca.crt"]].concat()).unwrap_err();
    assert!(missing.contains("cannot read /none/ca.crt"), "{missing}");
    for wrong in [&["--oidc-issuer-url", "https://x"][..], &["--oidc-client-id", "x"], &["--oidc-groups-claim", "x"]] {
        assert!(issuer(wrong).unwrap_err().contains("required"), "{wrong:?}");
    }
    assert!(issuer(&[&least[..], &["--oidc-required-claim=hd"]].concat()).unwrap_err().contains("CLAIM=VALUE"));
}
