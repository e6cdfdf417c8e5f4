//! The cluster's keys and certificates. All keys are P-256, tokens ES256.
