//! Turns Kafka's message schemas into the guard's tables.
fn main() {}
