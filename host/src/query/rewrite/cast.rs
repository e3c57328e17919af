//! Types that a value can be cast to.

use sqlparser::ast::{DataType, ExactNumberInfo};

/// What `CAST` and `CONVERT` can make.
pub(in crate::query) enum Target {
    Text,
    Bytes,
    Int,
    UInt,
    Double,
    /// With so many digits behind the point.
    Decimal(i64),
    Date,
    DateTime,
}

/// The target that MySQL or StarRocks means by a type name; `None` for types without values here.
pub(in crate::query) fn target(data_type: &DataType) -> Option<Target> {
    use DataType as T;
    Some(match data_type {
        T::Char(_)
        | T::Character(_)
        | T::Varchar(_)
        | T::Nvarchar(_)
        | T::Text
        | T::String(_)
        | T::JSON => Target::Text,
        T::Binary(_) | T::Varbinary(_) => Target::Bytes,
        T::Signed
        | T::SignedInteger
        | T::TinyInt(_)
        | T::SmallInt(_)
        | T::Int(_)
        | T::Integer(_)
        | T::BigInt(_)
        | T::Bool
        | T::Boolean => Target::Int,
        T::Unsigned | T::UnsignedInteger => Target::UInt,
        T::Float(_) | T::Real | T::Double(_) | T::DoublePrecision => Target::Double,
        T::Decimal(scale) | T::Numeric(scale) | T::Dec(scale) => match scale {
            ExactNumberInfo::PrecisionAndScale(_, scale) => Target::Decimal(*scale),
            _ => Target::Decimal(0),
        },
        T::Date => Target::Date,
        T::Datetime(_) | T::Timestamp(..) => Target::DateTime,
        _ => return None,
    })
}
