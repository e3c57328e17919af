//! Tables: their creation, alteration and end.

use quorate_sql::{
    AggregateType, AlterAction, AlterTable, CatalogStatement, ColumnDef, ColumnPosition,
    CreateTable, CreateTableLike, DataType, DefaultValue, Distribution, DistributionMethod,
    DropTable, Every, IndexDef, KeyKind, Literal, Partition, PartitionBy, PartitionItem,
    PartitionTerm, PartitionValue, PartitionValues, Rollup, StructField, TableKey, TimeUnit,
    TruncateTable,
};

use super::Generator;

/// How deep types and partition expressions nest.
const DEPTH: u64 = 3;

const EXPRESSIONS: &[&str] = &["a + 1", "f(x, 'y')", "(1) * (2)", "`comment` || ','", "[1, 2]"];

impl Generator {
    pub(super) fn table_statement(&mut self) -> CatalogStatement {
        match self.below(8) {
            0..=2 => CatalogStatement::CreateTable(Box::new(self.create_table())),
            3 => CatalogStatement::CreateTableLike(Box::new(CreateTableLike {
                name: self.object(),
                external: self.flag(),
                if_not_exists: self.flag(),
                source: self.object(),
            })),
            4 => CatalogStatement::DropTable(DropTable {
                name: self.object(),
                if_exists: self.flag(),
                force: self.flag(),
            }),
            5 => CatalogStatement::TruncateTable(TruncateTable {
                name: self.object(),
                partitions: self.many(0, Self::name),
            }),
            _ => CatalogStatement::AlterTable(AlterTable {
                name: self.object(),
                actions: self.many(1, Self::action),
            }),
        }
    }

    fn create_table(&mut self) -> CreateTable {
        CreateTable {
            name: self.object(),
            external: self.flag(),
            if_not_exists: self.flag(),
            columns: self.many(1, Self::column),
            indexes: self.many(0, Self::index),
            engine: self.maybe(Self::name),
            charset: self.maybe(Self::name),
            collation: self.maybe(Self::name),
            key: self.maybe(|g| TableKey { kind: g.pick(&KeyKind::ALL), columns: g.names() }),
            comment: self.maybe(Self::text),
            partition: self.maybe(Self::partition_by),
            distribution: self.maybe(Self::distribution),
            order_by: self.many(0, Self::name),
            rollups: self.many(0, Self::rollup),
            properties: self.properties(0),
        }
    }

    fn column(&mut self) -> ColumnDef {
        ColumnDef {
            name: self.name(),
            data_type: self.data_type(DEPTH),
            charset: self.maybe(Self::name),
            key: self.flag(),
            aggregate: self.maybe(|g| g.pick(&AggregateType::ALL)),
            nullable: self.maybe(Self::flag),
            auto_increment: self.flag(),
            default: self.maybe(Self::default_value),
            generated: self.maybe(|g| g.pick(EXPRESSIONS).to_owned()),
            comment: self.maybe(Self::text),
        }
    }

    fn default_value(&mut self) -> DefaultValue {
        match self.below(3) {
            0 => DefaultValue::Literal(self.literal()),
            1 => DefaultValue::CurrentTimestamp(self.maybe(|g| g.below(7) as u32)),
            _ => DefaultValue::Expression(self.pick(EXPRESSIONS).to_owned()),
        }
    }

    fn data_type(&mut self, depth: u64) -> DataType {
        let kinds = if depth == 0 { 18 } else { 21 };
        match self.below(kinds) {
            0 => DataType::Boolean,
            1 => DataType::TinyInt,
            2 => DataType::SmallInt,
            3 => DataType::Int,
            4 => DataType::BigInt,
            5 => DataType::LargeInt,
            6 => DataType::Float,
            7 => DataType::Double,
            8 => {
                let precision = 1 + self.below(38);
                let scale = self.below(precision + 1);
                DataType::Decimal { precision: precision as u8, scale: scale as u8 }
            }
            9 => DataType::Date,
            10 => DataType::Datetime,
            11 => DataType::Char(1 + self.below(255) as u32),
            12 => DataType::Varchar(1 + self.below(1_048_576) as u32),
            13 => DataType::Varbinary(self.maybe(|g| 1 + g.below(1_048_576) as u32)),
            14 => DataType::Json,
            15 => DataType::Hll,
            16 => DataType::Bitmap,
            17 => DataType::Percentile,
            18 => DataType::Array(Box::new(self.data_type(depth - 1))),
            19 => DataType::Map(Box::new(DataType::Int), Box::new(self.data_type(depth - 1))),
            _ => DataType::Struct(
                self.many(1, |g| StructField { name: g.name(), data_type: g.data_type(depth - 1) }),
            ),
        }
    }

    fn index(&mut self) -> IndexDef {
        IndexDef {
            name: self.name(),
            columns: self.names(),
            using: self.maybe(Self::name),
            properties: self.properties(0),
            comment: self.maybe(Self::text),
        }
    }

    fn rollup(&mut self) -> Rollup {
        Rollup {
            name: self.name(),
            columns: self.names(),
            duplicate_key: self.many(0, Self::name),
            from: self.maybe(Self::name),
            properties: self.properties(0),
        }
    }

    fn distribution(&mut self) -> Distribution {
        Distribution {
            method: match self.flag() {
                true => DistributionMethod::Hash(self.names()),
                false => DistributionMethod::Random,
            },
            buckets: self.maybe(|g| 1 + g.below(1_000) as u32),
        }
    }

    fn partition_by(&mut self) -> PartitionBy {
        let keys = self.many(1, |g| match g.flag() {
            true => PartitionTerm::Column(g.name()),
            false => g.call(DEPTH),
        });
        let partitions = self.many(0, Self::partition_item);
        match self.below(3) {
            0 => PartitionBy::Range { keys, partitions },
            1 => PartitionBy::List { keys, partitions },
            _ => PartitionBy::Expression { keys, partitions },
        }
    }

    fn call(&mut self, depth: u64) -> PartitionTerm {
        let function = self.pick(&["date_trunc", "LEFT", "time_slice", "str2date"]).to_owned();
        PartitionTerm::Call { function, arguments: self.many(0, |g| g.argument(depth - 1)) }
    }

    fn argument(&mut self, depth: u64) -> PartitionTerm {
        match self.below(if depth == 0 { 3 } else { 4 }) {
            0 => PartitionTerm::Column(self.name()),
            1 => PartitionTerm::Literal(self.literal()),
            2 => PartitionTerm::Interval(Every {
                amount: self.below(100),
                unit: Some(self.pick(&TimeUnit::ALL)),
            }),
            _ => self.call(depth),
        }
    }

    fn partition_item(&mut self) -> PartitionItem {
        match self.below(3) {
            0 => self.batch(),
            _ => PartitionItem::One(self.partition()),
        }
    }

    fn batch(&mut self) -> PartitionItem {
        PartitionItem::Batch {
            start: self.literal(),
            end: self.literal(),
            every: Every { amount: self.below(100), unit: self.maybe(|g| g.pick(&TimeUnit::ALL)) },
        }
    }

    fn partition(&mut self) -> Partition {
        Partition {
            name: self.name(),
            if_not_exists: self.flag(),
            values: match self.below(3) {
                0 => PartitionValues::LessThan(self.many(1, Self::bound)),
                1 => PartitionValues::Range {
                    lower: self.many(1, Self::bound),
                    upper: self.many(1, Self::bound),
                },
                _ => PartitionValues::In(self.many(1, |g| g.many(1, Self::literal))),
            },
            properties: self.properties(0),
        }
    }

    fn bound(&mut self) -> PartitionValue {
        match self.below(3) {
            0 => PartitionValue::MaxValue,
            1 => PartitionValue::Literal(Literal::Null),
            _ => PartitionValue::Literal(self.literal()),
        }
    }

    fn position(&mut self) -> Option<ColumnPosition> {
        match self.below(3) {
            0 => None,
            1 => Some(ColumnPosition::First),
            _ => Some(ColumnPosition::After(self.name())),
        }
    }

    fn action(&mut self) -> AlterAction {
        match self.below(20) {
            0 => AlterAction::AddColumn {
                column: Box::new(self.column()),
                position: self.position(),
            },
            1 => AlterAction::AddColumns(self.many(1, Self::column)),
            2 => AlterAction::DropColumn(self.name()),
            3 => AlterAction::ModifyColumn {
                column: Box::new(self.column()),
                position: self.position(),
            },
            4 => AlterAction::ModifyColumnComment { name: self.name(), comment: self.text() },
            5 => AlterAction::RenameColumn { from: self.name(), to: self.name() },
            6 => AlterAction::OrderBy(self.names()),
            7 => AlterAction::Rename(self.name()),
            8 => AlterAction::SwapWith(self.name()),
            9 => AlterAction::SetProperties(self.properties(1)),
            10 => AlterAction::SetComment(self.text()),
            11 => AlterAction::SetDistribution(self.distribution()),
            12..=14 => self.add_partition(),
            15 => AlterAction::DropPartition {
                temporary: self.flag(),
                if_exists: self.flag(),
                name: self.name(),
                force: self.flag(),
            },
            16 => AlterAction::RenamePartition { from: self.name(), to: self.name() },
            17 => AlterAction::AddIndex(self.index()),
            18 => match self.flag() {
                true => AlterAction::DropIndex(self.name()),
                false => AlterAction::DropRollup(self.name()),
            },
            _ => AlterAction::AddRollup(self.rollup()),
        }
    }

    /// Properties right behind a partition are its own, so the action has some only behind a
    /// distribution.
    fn add_partition(&mut self) -> AlterAction {
        let distribution = self.maybe(Self::distribution);
        AlterAction::AddPartition {
            temporary: self.flag(),
            partition: self.partition_item(),
            properties: match distribution {
                Some(_) => self.properties(0),
                None => Vec::new(),
            },
            distribution,
        }
    }
}
