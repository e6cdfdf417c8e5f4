//! Pieces of `kubectl get` cells that several kinds share.
