//! Partitions: their keys, their extents, and that no two of them overlap.

use std::collections::BTreeSet;

use quorate_guest::Failure;
use quorate_sql::{
    DataType, Distribution, Every, Literal, PartitionItem, PartitionTerm, PartitionValue,
    PartitionValues, TimeUnit,
};

use super::Origin;
use crate::calendar::{Date, split};
use crate::keys::fold;
use crate::model::{Extent, Partition, PartitionMethod, Table};
use crate::refusal;
use crate::scalar::{Edge, Scalar};

/// Most partitions of a table. More are refused; adding one reads all.
pub const PARTITIONS_MAX: usize = 10_000;

const DAY_SECONDS: i64 = 86_400;

type Bound = Vec<Edge>;

/// The extents of a table's partitions, to which more can be added.
pub struct Extents {
    table: String,
    types: Vec<DataType>,
    /// `None` while an expression has shown neither ranges nor lists.
    ranged: Option<bool>,
    names: BTreeSet<String>,
    /// Sorted and without overlaps.
    ranges: Vec<(Bound, Bound)>,
    rows: BTreeSet<Vec<Option<Scalar>>>,
}

impl Extents {
    /// The extents of `partitions`, which are those of `table`.
    ///
    /// # Errors
    /// When the table is not partitioned, or a stored extent does not fit the table.
    pub fn new(table: &Table, partitions: &[Partition]) -> Result<Self, Failure> {
        let Some(partitioning) = &table.partitioning else {
            return Err(refusal::not_partitioned(&table.name));
        };
        let mut extents = Self {
            table: table.name.clone(),
            types: partitioning.keys.iter().map(|key| key_type(key, table)).collect(),
            ranged: match partitioning.method {
                PartitionMethod::Range => Some(true),
                PartitionMethod::List => Some(false),
                PartitionMethod::Expression => None,
            },
            names: BTreeSet::new(),
            ranges: Vec::new(),
            rows: BTreeSet::new(),
        };
        for partition in partitions {
            extents.names.insert(fold(&partition.name));
            match &partition.extent {
                Extent::All => {}
                Extent::Range { lower, upper } => {
                    let range = (extents.bound(lower)?, extents.bound(upper)?);
                    extents.ranges.push(range);
                }
                Extent::In(rows) => extents.insert_rows(&partition.name, rows).map(drop)?,
            }
        }
        extents.ranges.sort();
        Ok(extents)
    }

    /// Checks that no two of a table's partitions overlap.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when two overlap.
    pub fn check(table: &Table, partitions: &[Partition]) -> Result<(), Failure> {
        let extents = Self::new(table, partitions)?;
        match extents.ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0) {
            true => Ok(()),
            false => Err(refusal::invalid("two partitions overlap")),
        }
    }

    /// The partitions that `item` describes, which are taken into account from here on. One that
    /// exists and is allowed to is left out.
    ///
    /// # Errors
    /// Names and extents that are taken, values that do not fit the key, too many partitions.
    pub fn add(
        &mut self,
        item: &PartitionItem,
        distribution: Option<&Distribution>,
        origin: &mut Origin,
    ) -> Result<Vec<Partition>, Failure> {
        let items = match item {
            PartitionItem::One(partition) => {
                if self.names.contains(&fold(&partition.name)) && partition.if_not_exists {
                    return Ok(Vec::new());
                }
                vec![(partition.name.clone(), partition.values.clone(), &partition.properties[..])]
            }
            PartitionItem::Batch { start, end, every } => {
                let batch = self.batch(start, end, *every)?;
                batch.into_iter().map(|(name, values)| (name, values, &[][..])).collect()
            }
        };
        let mut made = Vec::with_capacity(items.len());
        for (name, values, properties) in items {
            if self.names.len() >= PARTITIONS_MAX {
                let message = format!("a table has at most {PARTITIONS_MAX} partitions");
                return Err(refusal::invalid(message));
            }
            if !self.names.insert(fold(&name)) {
                return Err(refusal::duplicate_partition(&name));
            }
            super::check_properties(properties)?;
            made.push(Partition {
                id: origin.id(),
                extent: self.extent(&name, &values)?,
                name,
                buckets: distribution.and_then(|distribution| distribution.buckets),
                properties: super::sorted(properties),
                created: origin.stamp,
            });
        }
        Ok(made)
    }

    /// The extent in normal form, once it overlaps no other.
    fn extent(&mut self, name: &str, values: &PartitionValues) -> Result<Extent, Failure> {
        let ranged = !matches!(values, PartitionValues::In(_));
        if *self.ranged.get_or_insert(ranged) != ranged {
            let wanted = if ranged { "VALUES IN" } else { "VALUES LESS THAN or VALUES [..)" };
            return Err(refusal::invalid(format!("Partition {name} needs {wanted}")));
        }
        let (lower, upper) = match values {
            PartitionValues::In(rows) => return self.insert_rows(name, rows).map(Extent::In),
            PartitionValues::LessThan(upper) => (None, self.bound(upper)?),
            PartitionValues::Range { lower, upper } => (Some(self.bound(lower)?), self.bound(upper)?),
        };
        let (lower, upper) = self.insert_range(name, lower, upper)?;
        let normal = |bound: Bound| bound.iter().map(Edge::normal).collect();
        Ok(Extent::Range { lower: normal(lower), upper: normal(upper) })
    }

    /// A range among the others. Without a lower bound it begins where the one before it ends.
    fn insert_range(
        &mut self,
        name: &str,
        lower: Option<Bound>,
        upper: Bound,
    ) -> Result<(Bound, Bound), Failure> {
        let at = self.ranges.partition_point(|(lower, _)| *lower < upper);
        // The only one that can overlap: those before it end before it begins.
        let before = at.checked_sub(1).and_then(|before| self.ranges.get(before));
        let lower = match (lower, before) {
            (Some(lower), _) => lower,
            (None, Some((_, end))) => end.clone(),
            (None, None) => {
                self.types.iter().map(|t| Edge::Value(Scalar::min(t))).collect()
            }
        };
        if before.is_some_and(|(_, end)| *end > lower) || lower >= upper {
            let message = match lower >= upper {
                true => format!("Range of partition {name} is empty or out of order"),
                false => format!("Range of partition {name} is intersected with another"),
            };
            return Err(Failure::new(1493, "HY000", message));
        }
        let range = (lower, upper);
        self.ranges.insert(at, range.clone());
        Ok(range)
    }

    fn insert_rows(
        &mut self,
        name: &str,
        rows: &[Vec<Literal>],
    ) -> Result<Vec<Vec<Literal>>, Failure> {
        let mut normal = Vec::with_capacity(rows.len());
        for row in rows {
            if row.len() != self.types.len() {
                return Err(self.wrong_width(name, row.len()));
            }
            let mut scalars = Vec::with_capacity(row.len());
            for (literal, data_type) in row.iter().zip(&self.types) {
                scalars.push(match literal.text() {
                    None => None,
                    Some(text) => match Scalar::parse(text, data_type) {
                        Some(scalar) => Some(scalar),
                        None => return Err(self.wrong_value(text, data_type)),
                    },
                });
            }
            let literal = |scalar: &Option<Scalar>| match scalar {
                Some(scalar) => Literal::String(scalar.to_string()),
                None => Literal::Null,
            };
            normal.push(scalars.iter().map(literal).collect());
            if !self.rows.insert(scalars) {
                let message = "Multiple definition of same constant in list partitioning";
                return Err(Failure::new(1495, "HY000", message));
            }
        }
        Ok(normal)
    }

    /// A bound as long as the key: what is not written is the least value.
    fn bound(&self, values: &[PartitionValue]) -> Result<Bound, Failure> {
        if values.len() > self.types.len() {
            return Err(self.wrong_width("of that bound", values.len()));
        }
        let mut bound = Vec::with_capacity(self.types.len());
        for (at, data_type) in self.types.iter().enumerate() {
            bound.push(match values.get(at) {
                None => Edge::Value(Scalar::min(data_type)),
                Some(value) => match Edge::parse(value, data_type) {
                    Some(edge) => edge,
                    None => {
                        let PartitionValue::Literal(literal) = value else { continue };
                        return Err(self.wrong_value(literal.text().unwrap_or("NULL"), data_type));
                    }
                },
            });
        }
        Ok(bound)
    }

    fn wrong_width(&self, name: &str, width: usize) -> Failure {
        let message = format!(
            "Partition {name} has {width} values, the key of table {} has {} columns",
            self.table,
            self.types.len()
        );
        refusal::invalid(message)
    }

    fn wrong_value(&self, text: &str, data_type: &DataType) -> Failure {
        refusal::invalid(format!("Invalid partition value '{text}' for type {data_type}"))
    }

    /// Names and ranges of `START .. END .. EVERY`, named the way StarRocks names them.
    fn batch(
        &self,
        start: &Literal,
        end: &Literal,
        every: Every,
    ) -> Result<Vec<(String, PartitionValues)>, Failure> {
        let [data_type] = &self.types[..] else {
            return Err(refusal::invalid("EVERY needs exactly one partition column"));
        };
        let scalar = |literal: &Literal| {
            let text = literal.text().unwrap_or("NULL");
            Scalar::parse(text, data_type).ok_or_else(|| self.wrong_value(text, data_type))
        };
        let (mut at, end) = (scalar(start)?, scalar(end)?);
        if at >= end {
            return Err(refusal::invalid("START must be less than END"));
        }
        let mut batch = Vec::new();
        while at < end {
            if batch.len() >= PARTITIONS_MAX {
                let message = format!("EVERY makes more than {PARTITIONS_MAX} partitions");
                return Err(refusal::invalid(message));
            }
            let (name, next) = step(&at, every).ok_or_else(|| {
                refusal::invalid(format!("EVERY ({every}) does not fit type {data_type}"))
            })?;
            let next = next.min(end.clone());
            let bound = |scalar: &Scalar| vec![Edge::Value(scalar.clone()).normal()];
            batch.push((name, PartitionValues::Range { lower: bound(&at), upper: bound(&next) }));
            at = next;
        }
        Ok(batch)
    }
}

/// The name of the partition that begins at `at`, and where it ends. Weeks, months and years end
/// where the calendar's do, wherever they begin.
fn step(at: &Scalar, every: Every) -> Option<(String, Scalar)> {
    let amount = i64::try_from(every.amount).ok().filter(|amount| (1..=1_000_000).contains(amount))?;
    let seconds = match (at, every.unit) {
        (Scalar::Number(number), None) => {
            let next = number.checked_add(i128::from(amount))?;
            return Some((format!("p{}", number.to_string().replace('-', "_")), Scalar::Number(next)));
        }
        (Scalar::Day(days), Some(_)) => days * DAY_SECONDS,
        (Scalar::Second(seconds), Some(_)) => *seconds,
        _ => return None,
    };
    let (date, clock) = split(seconds);
    let Date { year, month, day } = date;
    let name = match every.unit? {
        TimeUnit::Year => format!("p{year:04}"),
        TimeUnit::Quarter | TimeUnit::Month => format!("p{year:04}{month:02}"),
        TimeUnit::Week => format!("p{year:04}_{:02}", date.week()),
        TimeUnit::Day => format!("p{year:04}{month:02}{day:02}"),
        TimeUnit::Hour => format!("p{year:04}{month:02}{day:02}{:02}", clock / 3_600),
        TimeUnit::Minute => {
            format!("p{year:04}{month:02}{day:02}{:02}{:02}", clock / 3_600, clock / 60 % 60)
        }
        TimeUnit::Second => return None,
    };
    let midnight = |date: Date| date.days() * DAY_SECONDS;
    let next = match every.unit? {
        TimeUnit::Year => midnight(Date { year: year + amount, month: 1, day: 1 }),
        TimeUnit::Quarter => midnight(date.month_start_after(3 * amount)),
        TimeUnit::Month => midnight(date.month_start_after(amount)),
        TimeUnit::Week => midnight(date) + (7 * amount - date.weekday()) * DAY_SECONDS,
        TimeUnit::Day => seconds + amount * DAY_SECONDS,
        TimeUnit::Hour => seconds + amount * 3_600,
        TimeUnit::Minute => seconds + amount * 60,
        TimeUnit::Second => return None,
    };
    match at {
        Scalar::Day(_) if next % DAY_SECONDS == 0 => Some((name, Scalar::Day(next / DAY_SECONDS))),
        Scalar::Second(_) => Some((name, Scalar::Second(next))),
        _ => None,
    }
}

/// The one partition of a table without partitions, named like the table.
pub(super) fn only(table: &Table, origin: &mut Origin) -> Partition {
    Partition {
        id: origin.id(),
        name: table.name.clone(),
        extent: Extent::All,
        buckets: None,
        properties: Vec::new(),
        created: origin.stamp,
    }
}

/// The type of the values that a partition key has.
pub fn key_type(key: &PartitionTerm, table: &Table) -> DataType {
    let column = columns(key).first().and_then(|name| table.column(name));
    match key {
        PartitionTerm::Call { function, .. } => match function.to_ascii_lowercase().as_str() {
            "str2date" => DataType::Date,
            "from_unixtime" | "from_unixtime_ms" => DataType::Datetime,
            "date_trunc" | "time_slice" => {
                column.map_or(DataType::STRING, |column| column.data_type.clone())
            }
            _ => DataType::STRING,
        },
        _ => column.map_or(DataType::STRING, |column| column.data_type.clone()),
    }
}

/// The columns that a partition key uses.
pub(super) fn columns(key: &PartitionTerm) -> Vec<&str> {
    match key {
        PartitionTerm::Column(name) => vec![name],
        PartitionTerm::Call { arguments, .. } => arguments.iter().flat_map(columns).collect(),
        PartitionTerm::Literal(_) | PartitionTerm::Interval(_) => Vec::new(),
    }
}

/// Renames a column, in any case, in a partition key.
pub(super) fn rename(key: &mut PartitionTerm, from: &str, to: &str) {
    match key {
        PartitionTerm::Column(name) if name.eq_ignore_ascii_case(from) => to.clone_into(name),
        PartitionTerm::Call { arguments, .. } => {
            arguments.iter_mut().for_each(|argument| rename(argument, from, to));
        }
        _ => {}
    }
}
