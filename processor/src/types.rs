//! Flink's SQL types and what they are in memory.
//!
//! Before: `sql/bind` reads a type name of the user's text. After: [`plan`](crate::plan) addresses typed columns, and
//! the formats build Arrow arrays of [`ColumnType::to_arrow`].

use std::fmt;

use arrow_array::ArrayRef;
use arrow_schema::{DataType as ArrowType, TimeUnit};

/// A SQL type without its nullability. [`Display`](fmt::Display) prints Flink's summary string, as `TIMESTAMP(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// `BOOLEAN`
    Boolean,
    /// `TINYINT`: 8 bits, signed.
    TinyInt,
    /// `SMALLINT`: 16 bits, signed.
    SmallInt,
    /// `INT`: 32 bits, signed.
    Int,
    /// `BIGINT`: 64 bits, signed.
    BigInt,
    /// `FLOAT`: 32 bits.
    Float,
    /// `DOUBLE`: 64 bits.
    Double,
    /// `DECIMAL(precision, scale)`; Flink's limits are 1 to 38 digits, the scale at most the precision.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `STRING`: text of any length.
    String,
    /// `BYTES`: bytes of any length.
    Bytes,
    /// `DATE`: days.
    Date,
    /// `TIME(p)`: time of day; Flink keeps milliseconds whatever the precision says.
    Time(u8),
    /// `TIMESTAMP(p)`: a wall clock without a zone, `p` digits after the second, 0 to 9.
    Timestamp(u8),
    /// `TIMESTAMP_LTZ(p)`: an instant, printed in the session's zone; `p` digits after the second, 0 to 9.
    TimestampLtz(u8),
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            Self::String => f.write_str("STRING"),
            Self::Bytes => f.write_str("BYTES"),
            Self::Date => f.write_str("DATE"),
            Self::Time(precision) => write!(f, "TIME({precision})"),
            Self::Timestamp(precision) => write!(f, "TIMESTAMP({precision})"),
            Self::TimestampLtz(precision) => write!(f, "TIMESTAMP_LTZ({precision})"),
        }
    }
}

/// The type of a column: a SQL type and whether NULL may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ColumnType {
    /// The type of what is not NULL.
    pub data_type: DataType,
    /// Whether NULL may stand in the column; SQL columns are nullable unless they say `NOT NULL`.
    pub nullable: bool,
}

impl ColumnType {
    /// A type whose columns may hold NULL.
    pub const fn nullable(data_type: DataType) -> Self {
        Self { data_type, nullable: true }
    }

    /// A type whose columns never hold NULL.
    pub const fn not_null(data_type: DataType) -> Self {
        Self { data_type, nullable: false }
    }

    /// The Arrow type of such a column in memory. Timestamps take the coarsest unit that keeps their digits.
    pub fn to_arrow(self) -> ArrowType {
        self.data_type.to_arrow()
    }
}

impl DataType {
    /// See [`ColumnType::to_arrow`].
    pub(crate) fn to_arrow(self) -> ArrowType {
        match self {
            Self::Boolean => ArrowType::Boolean,
            Self::TinyInt => ArrowType::Int8,
            Self::SmallInt => ArrowType::Int16,
            Self::Int => ArrowType::Int32,
            Self::BigInt => ArrowType::Int64,
            Self::Float => ArrowType::Float32,
            Self::Double => ArrowType::Float64,
            Self::Decimal { precision, scale } => {
                ArrowType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Self::String => ArrowType::Utf8,
            Self::Bytes => ArrowType::Binary,
            Self::Date => ArrowType::Date32,
            Self::Time(_) => ArrowType::Time32(TimeUnit::Millisecond),
            Self::Timestamp(precision) => ArrowType::Timestamp(time_unit(precision), None),
            Self::TimestampLtz(precision) => ArrowType::Timestamp(time_unit(precision), Some("UTC".into())),
        }
    }

    /// How many units of a timestamp of this type make a second.
    pub(crate) fn units_per_second(self) -> i64 {
        let (Self::Timestamp(precision) | Self::TimestampLtz(precision)) = self else { return 1_000 };
        match time_unit(precision) {
            TimeUnit::Second => 1,
            TimeUnit::Millisecond => 1_000,
            TimeUnit::Microsecond => 1_000_000,
            TimeUnit::Nanosecond => 1_000_000_000,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_null = if self.nullable { "" } else { " NOT NULL" };
        write!(f, "{}{not_null}", self.data_type)
    }
}

/// Rows in memory: arrays of equal length, each of the Arrow type of its column.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// A column each.
    pub(crate) arrays: Vec<ArrayRef>,
    /// How many rows there are, also when there is no column.
    pub(crate) rows: usize,
}

fn time_unit(precision: u8) -> TimeUnit {
    match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_as_flink_prints_them() {
        assert_eq!(ColumnType::not_null(DataType::BigInt).to_string(), "BIGINT NOT NULL");
        assert_eq!(ColumnType::nullable(DataType::Timestamp(3)).to_string(), "TIMESTAMP(3)");
        assert_eq!(ColumnType::nullable(DataType::TimestampLtz(6)).to_string(), "TIMESTAMP_LTZ(6)");
        let money = DataType::Decimal { precision: 10, scale: 2 };
        assert_eq!(ColumnType::nullable(money).to_string(), "DECIMAL(10, 2)");
    }

    #[test]
    fn timestamps_take_the_coarsest_unit_that_keeps_their_digits() {
        let unit = |p| ColumnType::nullable(DataType::Timestamp(p)).to_arrow();
        assert_eq!(unit(0), ArrowType::Timestamp(TimeUnit::Millisecond, None));
        assert_eq!(unit(3), ArrowType::Timestamp(TimeUnit::Millisecond, None));
        assert_eq!(unit(6), ArrowType::Timestamp(TimeUnit::Microsecond, None));
        assert_eq!(unit(9), ArrowType::Timestamp(TimeUnit::Nanosecond, None));
    }
}
