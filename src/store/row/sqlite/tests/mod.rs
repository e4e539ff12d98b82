mod classes;
mod conformance;
