//! `PARTITION BY` and single partitions.

use crate::ast::{Literal, Property};

/// How a table is cut into partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionBy {
    /// `RANGE (keys) (partitions)`.
    Range {
        /// Columns, or expressions of one column.
        keys: Vec<PartitionTerm>,
        /// The partitions made with the table, possibly none.
        partitions: Vec<PartitionItem>,
    },
    /// `LIST (keys) (partitions)`.
    List {
        /// Columns, or expressions of one column.
        keys: Vec<PartitionTerm>,
        /// The partitions made with the table, possibly none.
        partitions: Vec<PartitionItem>,
    },
    /// `date_trunc('day', dt)` or `(a, b)`: a partition per value, made when data arrives.
    Expression {
        /// Columns and expressions.
        keys: Vec<PartitionTerm>,
        /// The partitions made with the table, possibly none.
        partitions: Vec<PartitionItem>,
    },
}

impl PartitionBy {
    /// The columns and expressions that decide the partition of a row.
    pub fn keys(&self) -> &[PartitionTerm] {
        match self {
            PartitionBy::Range { keys, .. }
            | PartitionBy::List { keys, .. }
            | PartitionBy::Expression { keys, .. } => keys,
        }
    }

    /// The partitions written out.
    pub fn partitions(&self) -> &[PartitionItem] {
        match self {
            PartitionBy::Range { partitions, .. }
            | PartitionBy::List { partitions, .. }
            | PartitionBy::Expression { partitions, .. } => partitions,
        }
    }

    /// The names of all columns used, in order, each as often as it is used.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = Vec::new();
        for key in self.keys() {
            key.collect_columns(&mut columns);
        }
        columns
    }
}

/// A part of a partition expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionTerm {
    /// A column.
    Column(String),
    /// A constant.
    Literal(Literal),
    /// `INTERVAL amount unit`.
    Interval(Every),
    /// `function(arguments)`.
    Call {
        /// The function, in the case written.
        function: String,
        /// Its arguments.
        arguments: Vec<PartitionTerm>,
    },
}

impl PartitionTerm {
    fn collect_columns<'a>(&'a self, columns: &mut Vec<&'a str>) {
        match self {
            PartitionTerm::Column(name) => columns.push(name),
            PartitionTerm::Call { arguments, .. } => {
                // As deep as the parser let it be.
                for argument in arguments {
                    argument.collect_columns(columns);
                }
            }
            PartitionTerm::Literal(_) | PartitionTerm::Interval(_) => {}
        }
    }
}

/// An entry in the list of partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionItem {
    /// `PARTITION name VALUES ..`.
    One(Partition),
    /// `START (..) END (..) EVERY (..)`: as many range partitions as fit.
    Batch {
        /// The lower bound of the first.
        start: Literal,
        /// The upper bound of the last, excluded.
        end: Literal,
        /// The width of each.
        every: Every,
    },
}

/// `PARTITION [IF NOT EXISTS] name VALUES .. [(properties)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partition.
    pub name: String,
    /// An existing one is no error.
    pub if_not_exists: bool,
    /// Which rows it holds.
    pub values: PartitionValues,
    /// Its properties.
    pub properties: Vec<Property>,
}

/// Which rows a partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionValues {
    /// `LESS THAN (..)`: up to the bound, which is excluded.
    LessThan(Vec<PartitionValue>),
    /// `[(lower), (upper))`.
    Range {
        /// The first value included.
        lower: Vec<PartitionValue>,
        /// The first value excluded.
        upper: Vec<PartitionValue>,
    },
    /// `IN (..)`: rows of these values, each as long as the partition has keys.
    In(Vec<Vec<Literal>>),
}

/// A bound of a range partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionValue {
    /// A constant.
    Literal(Literal),
    /// `MAXVALUE`: greater than everything.
    MaxValue,
}

/// `EVERY (INTERVAL n unit)`, or `EVERY (n)` for integer keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Every {
    /// How many units.
    pub amount: u64,
    /// The unit of time, `None` for plain integers.
    pub unit: Option<TimeUnit>,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// `YEAR`.
    Year,
    /// `QUARTER`.
    Quarter,
    /// `MONTH`.
    Month,
    /// `WEEK`.
    Week,
    /// `DAY`.
    Day,
    /// `HOUR`.
    Hour,
    /// `MINUTE`.
    Minute,
    /// `SECOND`.
    Second,
}

impl TimeUnit {
    /// All of them.
    pub const ALL: [TimeUnit; 8] = [
        TimeUnit::Year,
        TimeUnit::Quarter,
        TimeUnit::Month,
        TimeUnit::Week,
        TimeUnit::Day,
        TimeUnit::Hour,
        TimeUnit::Minute,
        TimeUnit::Second,
    ];

    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            TimeUnit::Year => "YEAR",
            TimeUnit::Quarter => "QUARTER",
            TimeUnit::Month => "MONTH",
            TimeUnit::Week => "WEEK",
            TimeUnit::Day => "DAY",
            TimeUnit::Hour => "HOUR",
            TimeUnit::Minute => "MINUTE",
            TimeUnit::Second => "SECOND",
        }
    }
}
