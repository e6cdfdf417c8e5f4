//! The integration tests live in main.rs.
