//! Named bounds.

/// Bytes of a request body; stops a client from filling memory (upstream's 3 MiB).
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of all annotations of an object (upstream's 256 KiB).
pub const ANNOTATION_BYTES_MAX: usize = 256 * 1024;
/// Operations of one JSON patch; stops quadratic work.
pub const JSON_PATCH_OPERATIONS_MAX: usize = 10_000;
/// Depth of nested values in any body; stops stack overflow.
pub const DEPTH_MAX: usize = 128;
/// Bytes of one YAML document.
pub const YAML_DOCUMENT_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of a label or field selector; stops quadratic matching.
pub const SELECTOR_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a label's value and of the name part of its key (upstream's 63).
pub const LABEL_VALUE_BYTES_MAX: usize = 63;
/// Duplicate or unknown fields that are told of one body; stops a hostile body from filling the reply.
pub const FIELD_REPORTS_MAX: usize = 100;
/// Warnings of an object's ports; as many as are sent of all (upstream sends a few, too).
pub const PORT_WARNINGS_MAX: usize = 16;
/// Names that an error lists as those that could have been meant.
pub const NAMES_SHOWN_MAX: usize = 16;
/// Depth of nested values in YAML, whose parser takes much stack for each level.
pub const YAML_DEPTH_MAX: usize = 64;
/// Parser events that aliases of one document may repeat; stops alias bombs.
pub const YAML_ALIAS_EVENTS_MAX: usize = 100_000;
/// YAML nodes of one document; stops memory from filling.
pub const YAML_NODES_MAX: usize = 1_000_000;
/// Bytes that the `copy` operations of one JSON patch may make (upstream's 3 MiB).
pub const JSON_PATCH_COPY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of a CEL expression; the parser's work and depth grow with it.
pub const CEL_EXPRESSION_BYTES_MAX: usize = 16 * 1024;
/// Turns of all loops of one CEL evaluation, and parts of what loops over keys and values keep; stops an expression
/// from holding a thread or much memory.
pub const CEL_STEPS_MAX: u32 = 1_000_000;
/// Nested brackets, and signs in a row, of a CEL expression; each takes much of the parser's stack.
pub const CEL_NESTING_MAX: usize = 100;
/// Levels of a parsed CEL expression; evaluation takes stack for each.
pub const CEL_DEPTH_MAX: usize = 200;
/// Levels of a CEL expression that is evaluated where it is asked for; deeper ones get a thread
/// with more stack.
pub const CEL_SHALLOW_DEPTH_MAX: usize = 20;
/// Stack of a thread that parses CEL or evaluates a deep expression; only what is used of it is taken.
pub const CEL_STACK_BYTES: usize = 256 * 1024 * 1024;
/// Entries of `managedFields` that tell of updates; older ones are merged (upstream's 10).
pub const UPDATE_MANAGERS_MAX: usize = 10;
/// Bytes of the name of a field manager (upstream's 128).
pub const FIELD_MANAGER_BYTES_MAX: usize = 128;
/// Selectable fields of a custom resource (upstream's 8); the caches hold each for every object.
pub const SELECTABLE_FIELDS_MAX: usize = 8;
/// Cost of a rule of a custom resource, over all values that it can be asked about in one request;
/// stops definitions whose objects would hold a thread (upstream's 10,000,000).
pub const CEL_RULE_COST_MAX: u64 = 10_000_000;
/// The same of all rules of a schema (upstream's 100,000,000).
pub const CEL_RULES_COST_MAX: u64 = 100_000_000;
