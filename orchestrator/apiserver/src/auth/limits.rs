//! Named bounds of authentication.

use std::time::Duration;

/// Longest bearer token in bytes; a longer one is refused before it is looked at (a client must
/// not make the server hash and parse megabytes).
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// How many verified tokens are remembered, so that a busy client does not cost a signature check
/// for each request; beyond it all are forgotten.
pub const TOKENS_VERIFIED_MAX: usize = 1024;
/// The same for chains of client certificates.
pub const CERTIFICATES_VERIFIED_MAX: usize = 1024;
/// Shortest lifetime of a token (upstream's).
pub const TOKEN_SECONDS_MIN: i64 = 600;
/// Longest lifetime that may be asked for (upstream's).
pub const TOKEN_SECONDS_ASKED_MAX: i64 = 1 << 32;
/// Longest lifetime that is given; a longer request gets this one, and is told so.
pub const TOKEN_SECONDS_MAX: i64 = 365 * 24 * 3600;
/// Lifetime when the request names none (upstream's).
pub const TOKEN_SECONDS_DEFAULT: i64 = 3600;
/// Most audiences of one token; a signed token must stay short enough for a header.
pub const TOKEN_AUDIENCES_MAX: usize = 64;
/// How long a token outlives the deletionTimestamp of an object that it is bound to (upstream's), so
/// that a Pod can still talk while it ends.
pub const DELETION_LEEWAY: Duration = Duration::from_secs(60);
/// How deep aggregated ClusterRoles may select each other; deeper ones are ignored.
pub const AGGREGATION_DEPTH_MAX: usize = 16;
/// Most values of all `Impersonate-*` headers of a request; each costs an authorization.
pub const IMPERSONATION_VALUES_MAX: usize = 64;
/// Time between two fetches of an OpenID Connect issuer's keys; a client that makes up key ids must
/// not make the server call it for each.
pub const OIDC_FETCH_INTERVAL_MIN: Duration = Duration::from_secs(10);
/// How long the issuer may take for each of its documents.
pub const OIDC_FETCH_TIME_MAX: Duration = Duration::from_secs(10);
/// Keys of the issuer that are believed; a token that names none is tried with each.
pub const OIDC_KEYS_MAX: usize = 64;
/// How far the issuer's clock may be ahead of ours when it says `nbf` (upstream's 5 min).
pub const OIDC_NOT_BEFORE_LEEWAY: Duration = Duration::from_secs(300);
