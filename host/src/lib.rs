pub mod mysql;
pub mod query;
pub mod session;
