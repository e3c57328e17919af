//! The parts of the parser's syntax tree that commands and records hold.

use quorate_sql::{
    AggregateType, AlterAction, ColumnDef, ColumnPosition, CreateTable, CreateView, DataType, DefaultValue,
    Distribution, DistributionMethod, Every, IndexDef, KeyKind, Literal, ObjectName, Partition,
    PartitionBy, PartitionItem, PartitionTerm, PartitionValue, PartitionValues, Property, Rollup,
    StructField, TableKey, TimeUnit, ViewColumn,
};

use super::{record, tagged};

tagged!(Literal { 0 => String(text), 1 => Number(text), 2 => Boolean(value), 3 => Null });
record!(Property { key, value });
record!(ObjectName { catalog, database, name });

tagged!(DataType {
    0 => Boolean, 1 => TinyInt, 2 => SmallInt, 3 => Int, 4 => BigInt, 5 => LargeInt, 6 => Float,
    7 => Double, 8 => Decimal { precision, scale }, 9 => Date, 10 => Datetime, 11 => Char(length),
    12 => Varchar(length), 13 => Varbinary(length), 14 => Json, 15 => Hll, 16 => Bitmap,
    17 => Percentile, 18 => Array(item), 19 => Map(key, value), 20 => Struct(fields),
});
record!(StructField { name, data_type });

tagged!(AggregateType {
    0 => Sum, 1 => Max, 2 => Min, 3 => Replace, 4 => ReplaceIfNotNull, 5 => HllUnion,
    6 => BitmapUnion, 7 => PercentileUnion,
});
tagged!(DefaultValue { 0 => Literal(value), 1 => CurrentTimestamp(digits), 2 => Expression(text) });
record!(ColumnDef {
    name, data_type, charset, key, aggregate, nullable, auto_increment, default, generated, comment,
});
record!(IndexDef { name, columns, using, properties, comment });

tagged!(KeyKind { 0 => Primary, 1 => Duplicate, 2 => Unique, 3 => Aggregate });
record!(TableKey { kind, columns });
tagged!(DistributionMethod { 0 => Hash(columns), 1 => Random });
record!(Distribution { method, buckets });
record!(Rollup { name, columns, duplicate_key, from, properties });

tagged!(TimeUnit {
    0 => Year, 1 => Quarter, 2 => Month, 3 => Week, 4 => Day, 5 => Hour, 6 => Minute, 7 => Second,
});
record!(Every { amount, unit });
tagged!(PartitionTerm {
    0 => Column(name), 1 => Literal(value), 2 => Interval(every), 3 => Call { function, arguments },
});
tagged!(PartitionBy {
    0 => Range { keys, partitions },
    1 => List { keys, partitions },
    2 => Expression { keys, partitions },
});
tagged!(PartitionItem { 0 => One(partition), 1 => Batch { start, end, every } });
record!(Partition { name, if_not_exists, values, properties });
tagged!(PartitionValues { 0 => LessThan(bound), 1 => Range { lower, upper }, 2 => In(rows) });
tagged!(PartitionValue { 0 => Literal(value), 1 => MaxValue });

record!(CreateTable {
    name, external, if_not_exists, columns, indexes, engine, charset, collation, key, comment,
    partition, distribution, order_by, rollups, properties,
});
record!(ViewColumn { name, comment });
record!(CreateView { name, or_replace, if_not_exists, columns, comment, query });

tagged!(ColumnPosition { 0 => First, 1 => After(column) });
tagged!(AlterAction {
    0 => AddColumn { column, position },
    1 => AddColumns(columns),
    2 => DropColumn(name),
    3 => ModifyColumn { column, position },
    4 => ModifyColumnComment { name, comment },
    5 => RenameColumn { from, to },
    6 => OrderBy(columns),
    7 => Rename(name),
    8 => SwapWith(name),
    9 => SetProperties(properties),
    10 => SetComment(comment),
    11 => SetDistribution(distribution),
    12 => AddPartition { temporary, partition, distribution, properties },
    13 => DropPartition { temporary, if_exists, name, force },
    14 => RenamePartition { from, to },
    15 => AddIndex(index),
    16 => DropIndex(name),
    17 => AddRollup(rollup),
    18 => DropRollup(name),
});
