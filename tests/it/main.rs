//! The integration tests: the whole server, a real SQLite file, the sandbox's simulators.
