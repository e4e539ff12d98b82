//! Real servers as child processes of a test.
