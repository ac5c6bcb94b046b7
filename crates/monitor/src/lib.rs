//! Whether everything works.
