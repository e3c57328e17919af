//! What a statement says, without its spelling.
//!
//! One file per family, one struct per statement that has parts. Names keep the case the client
//! wrote; comparing them is up to the owner of the statement.

mod alter;
mod cluster;
mod database;
mod filter;
mod module;
mod name;
mod partition;
mod session;
mod show;
mod table;
mod types;
mod view;

pub use alter::{AlterAction, AlterTable, ColumnPosition};
pub use cluster::{ClusterStatement, FrontendKind};
pub use database::{AlterDatabase, CreateDatabase, DatabaseAction, DropDatabase};
pub use filter::{Comparison, Filter, Operand};
pub use module::{
    ActivateModule, ModuleFrom, ModuleGate, ModuleStatement, ModuleTime, ModuleVersion,
    RollbackModule,
};
pub use name::{DatabaseName, Literal, ObjectName, Property};
pub use partition::{
    Every, Partition, PartitionBy, PartitionItem, PartitionTerm, PartitionValue, PartitionValues,
    TimeUnit,
};
pub use session::{
    Account, Assignment, Completion, KillTarget, Password, Scope, SessionStatement, SetValue,
    TransactionMode,
};
pub use show::{
    AlterJob, CreateOf, Describe, Limit, OrderBy, Show, ShowColumns, ShowFilter, ShowTables, Tail,
};
pub use table::{
    AggregateType, ColumnDef, CreateTable, CreateTableLike, DefaultValue, Distribution,
    DistributionMethod, DropTable, IndexDef, KeyKind, Rollup, TableKey, TruncateTable,
};
pub use types::{DataType, StructField};
pub use view::{AlterView, CreateView, DropView, ViewColumn};

/// A statement the host answers itself, whichever module is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostStatement {
    /// Changes or shows the session of one client.
    Session(SessionStatement),
    /// Changes or shows the frontends and their configuration.
    Cluster(ClusterStatement),
    /// Changes or shows which module is active.
    Module(ModuleStatement),
}

/// A statement of the catalog module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogStatement {
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `DROP DATABASE`.
    DropDatabase(DropDatabase),
    /// `ALTER DATABASE`.
    AlterDatabase(AlterDatabase),
    /// `CREATE TABLE` with its columns.
    CreateTable(Box<CreateTable>),
    /// `CREATE TABLE .. LIKE`.
    CreateTableLike(Box<CreateTableLike>),
    /// `ALTER TABLE`.
    AlterTable(AlterTable),
    /// `DROP TABLE`.
    DropTable(DropTable),
    /// `TRUNCATE TABLE`.
    TruncateTable(TruncateTable),
    /// `CREATE VIEW`.
    CreateView(Box<CreateView>),
    /// `ALTER VIEW`.
    AlterView(AlterView),
    /// `DROP VIEW`.
    DropView(DropView),
    /// `USE [catalog.]database`.
    Use(DatabaseName),
    /// `SET CATALOG name`.
    SetCatalog(String),
    /// `SHOW ..` of something in the catalog.
    Show(Show),
    /// `DESC table`.
    Describe(Describe),
}
