//! Rows to dense group ids: the first row of a key gives it the next id.
//!
//! Before: [`groups`](super::groups) has the key columns of some rows. After: accumulators use the ids; when the groups
//! are written out, the keys come back as columns in the order of their ids.
//!
//! Keys lie in columns of their own, without an allocation per key. Numbers are keys by their bits, as in Flink's binary
//! rows: `0.0` and `-0.0` are two keys, NaN is one. NULL is a key.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::BooleanBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::types::DataType;

/// The keys seen so far.
#[derive(Debug)]
pub(super) struct Keys {
    columns: Vec<KeyColumn>,
    /// By hash, which lies beside the id so that growing and most mismatches need not look at the key.
    ids: HashTable<(u64, usize)>,
    length: usize,
    hasher: DefaultHashBuilder,
    /// The hash of each row at hand; used again for every call.
    hashes: Vec<u64>,
}

impl Keys {
    /// For keys of columns of these types; without a column there is one key.
    pub(super) fn new(types: &[DataType]) -> Self {
        Self {
            columns: types.iter().map(|&data_type| KeyColumn::new(data_type)).collect(),
            ids: HashTable::new(),
            length: 0,
            hasher: DefaultHashBuilder::default(),
            hashes: Vec::new(),
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Replaces `ids` with the id of each row's key; `arrays` are the key columns, each of `rows` rows.
    pub(super) fn intern(&mut self, arrays: &[&ArrayRef], rows: usize, ids: &mut Vec<usize>) {
        ids.clear();
        if self.columns.is_empty() {
            self.length = self.length.max(usize::from(rows > 0));
            ids.resize(rows, 0);
            return;
        }
        let views: Vec<View<'_>> =
            self.columns.iter().zip(arrays).map(|(column, array)| View::new(column.data_type, array)).collect();
        self.hashes.clear();
        self.hashes.resize(rows, 0);
        for view in &views {
            view.hash(&self.hasher, &mut self.hashes);
        }
        for (row, &hash) in self.hashes.iter().enumerate() {
            let columns = &self.columns;
            let equal = |&(other, id): &(u64, usize)| {
                other == hash && columns.iter().zip(&views).all(|(column, view)| column.holds(id, view, row))
            };
            let id = match self.ids.find(hash, equal) {
                Some(&(_, id)) => id,
                None => {
                    let id = self.length;
                    self.length += 1;
                    for (column, view) in self.columns.iter_mut().zip(&views) {
                        column.push(view, row);
                    }
                    self.ids.insert_unique(hash, (hash, id), |&(hash, _)| hash);
                    id
                }
            };
            ids.push(id);
        }
    }

    /// The keys of some ids as columns, a row per id.
    pub(super) fn columns(&self, ids: Range<usize>) -> Vec<ArrayRef> {
        self.columns.iter().map(|column| column.array(ids.clone())).collect()
    }

    /// How far from `start` ids can go into one piece of columns.
    pub(super) fn piece(&self, start: usize) -> Range<usize> {
        let end = self.length.min(start.saturating_add(PIECE_ROWS_MAX));
        // A piece has at least one key, however large.
        let fits = |&end: &usize| self.columns.iter().all(|column| column.bytes_in(start..end) <= PIECE_BYTES_MAX);
        let mut length = end - start.min(end);
        while length > 1 && !fits(&(start + length)) {
            length /= 2;
        }
        start..(start + length).min(end)
    }
}

/// The values that a key column has had, by id.
#[derive(Debug)]
struct KeyColumn {
    data_type: DataType,
    values: Values,
    valid: Vec<bool>,
}

#[derive(Debug)]
enum Values {
    /// Whatever fits into 64 bits.
    Narrow(Vec<i64>),
    Wide(Vec<i128>),
    Variable {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
}

/// The rows of a key column at hand.
enum View<'a> {
    Narrow { values: Cow<'a, [i64]>, nulls: Option<&'a NullBuffer> },
    Wide { values: &'a [i128], nulls: Option<&'a NullBuffer> },
    Variable { bytes: &'a [u8], offsets: &'a [i32], nulls: Option<&'a NullBuffer> },
}

impl<'a> View<'a> {
    fn new(data_type: DataType, array: &'a ArrayRef) -> Self {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let values = match data_type {
            DataType::BigInt => Cow::Borrowed(&**array.as_primitive::<Int64Type>().values()),
            DataType::Boolean => Cow::Owned(array.as_boolean().values().iter().map(i64::from).collect()),
            DataType::TinyInt => widened::<Int8Type>(array, i64::from),
            DataType::SmallInt => widened::<Int16Type>(array, i64::from),
            DataType::Int => widened::<Int32Type>(array, i64::from),
            DataType::Float => widened::<Float32Type>(array, |value| i64::from(value.to_bits())),
            DataType::Double => widened::<Float64Type>(array, |value| value.to_bits().cast_signed()),
            DataType::Date => widened::<Date32Type>(array, i64::from),
            DataType::Time(_) => widened::<Time32MillisecondType>(array, i64::from),
            DataType::Timestamp(_) | DataType::TimestampLtz(_) => match data_type.units_per_second() {
                1_000 => Cow::Borrowed(&**array.as_primitive::<TimestampMillisecondType>().values()),
                1_000_000 => Cow::Borrowed(&**array.as_primitive::<TimestampMicrosecondType>().values()),
                _ => Cow::Borrowed(&**array.as_primitive::<TimestampNanosecondType>().values()),
            },
            DataType::Decimal { .. } => {
                return Self::Wide { values: array.as_primitive::<Decimal128Type>().values(), nulls };
            }
            DataType::String => {
                let array = array.as_string::<i32>();
                return Self::Variable { bytes: array.value_data(), offsets: array.value_offsets(), nulls };
            }
            DataType::Bytes => {
                let array = array.as_binary::<i32>();
                return Self::Variable { bytes: array.value_data(), offsets: array.value_offsets(), nulls };
            }
        };
        Self::Narrow { values, nulls }
    }

    /// Mixes the hash of each row into `hashes`.
    fn hash(&self, hasher: &DefaultHashBuilder, hashes: &mut [u64]) {
        for (row, hash) in hashes.iter_mut().enumerate() {
            *hash = if !self.is_valid(row) {
                hasher.hash_one((*hash, u8::MAX))
            } else {
                match self {
                    Self::Narrow { values, .. } => hasher.hash_one((*hash, values.get(row))),
                    Self::Wide { values, .. } => hasher.hash_one((*hash, values.get(row))),
                    Self::Variable { .. } => hasher.hash_one((*hash, self.variable(row))),
                }
            };
        }
    }

    fn is_valid(&self, row: usize) -> bool {
        let (Self::Narrow { nulls, .. } | Self::Wide { nulls, .. } | Self::Variable { nulls, .. }) = self;
        nulls.is_none_or(|nulls| nulls.is_valid(row))
    }

    fn variable(&self, row: usize) -> &[u8] {
        let Self::Variable { bytes, offsets, .. } = self else { return &[] };
        let offset = |at: usize| offsets.get(at).and_then(|&offset| usize::try_from(offset).ok()).unwrap_or_default();
        bytes.get(offset(row)..offset(row + 1)).unwrap_or_default()
    }
}

fn widened<T: ArrowPrimitiveType>(array: &ArrayRef, widen: impl Fn(T::Native) -> i64) -> Cow<'_, [i64]> {
    Cow::Owned(array.as_primitive::<T>().values().iter().map(|&value| widen(value)).collect())
}

impl KeyColumn {
    fn new(data_type: DataType) -> Self {
        let values = match data_type {
            DataType::Decimal { .. } => Values::Wide(Vec::new()),
            DataType::String | DataType::Bytes => Values::Variable { bytes: Vec::new(), ends: Vec::new() },
            DataType::Boolean
            | DataType::TinyInt
            | DataType::SmallInt
            | DataType::Int
            | DataType::BigInt
            | DataType::Float
            | DataType::Double
            | DataType::Date
            | DataType::Time(_)
            | DataType::Timestamp(_)
            | DataType::TimestampLtz(_) => Values::Narrow(Vec::new()),
        };
        Self { data_type, values, valid: Vec::new() }
    }

    /// Whether the key `id` has in this column what `view` has in `row`.
    fn holds(&self, id: usize, view: &View<'_>, row: usize) -> bool {
        let valid = view.is_valid(row);
        if self.valid.get(id) != Some(&valid) {
            return false;
        }
        !valid
            || match (&self.values, view) {
                (Values::Narrow(keys), View::Narrow { values, .. }) => keys.get(id) == values.get(row),
                (Values::Wide(keys), View::Wide { values, .. }) => keys.get(id) == values.get(row),
                (Values::Variable { .. }, View::Variable { .. }) => self.variable(id) == view.variable(row),
                (Values::Narrow(_) | Values::Wide(_) | Values::Variable { .. }, _) => false,
            }
    }

    fn push(&mut self, view: &View<'_>, row: usize) {
        let valid = view.is_valid(row);
        self.valid.push(valid);
        match (&mut self.values, view) {
            (Values::Narrow(keys), View::Narrow { values, .. }) if valid => {
                keys.push(values.get(row).copied().unwrap_or_default());
            }
            (Values::Narrow(keys), _) => keys.push(0),
            (Values::Wide(keys), View::Wide { values, .. }) if valid => {
                keys.push(values.get(row).copied().unwrap_or_default());
            }
            (Values::Wide(keys), _) => keys.push(0),
            (Values::Variable { bytes, ends }, _) => {
                if valid {
                    bytes.extend_from_slice(view.variable(row));
                }
                ends.push(bytes.len());
            }
        }
    }

    fn variable(&self, id: usize) -> &[u8] {
        let Values::Variable { bytes, .. } = &self.values else { return &[] };
        bytes.get(self.byte_range(id..id + 1)).unwrap_or_default()
    }

    fn byte_range(&self, ids: Range<usize>) -> Range<usize> {
        let Values::Variable { ends, .. } = &self.values else { return 0..0 };
        let end = |id: usize| id.checked_sub(1).and_then(|id| ends.get(id)).copied().unwrap_or_default();
        end(ids.start)..end(ids.end)
    }

    fn bytes_in(&self, ids: Range<usize>) -> usize {
        self.byte_range(ids).len()
    }

    fn array(&self, ids: Range<usize>) -> ArrayRef {
        let valid = self.valid.get(ids.clone()).unwrap_or_default();
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        match &self.values {
            Values::Narrow(keys) => self.narrow_array(keys.get(ids).unwrap_or_default(), nulls),
            Values::Wide(keys) => {
                let keys = keys.get(ids).unwrap_or_default().to_vec();
                let array = PrimitiveArray::<Decimal128Type>::new(keys.into(), nulls);
                Arc::new(array.with_data_type(self.data_type.to_arrow()))
            }
            Values::Variable { bytes, .. } => {
                let offsets = OffsetBuffer::from_lengths(ids.clone().map(|id| self.bytes_in(id..id + 1)));
                let bytes = bytes.get(self.byte_range(ids)).unwrap_or_default().to_vec();
                if self.data_type == DataType::Bytes {
                    Arc::new(BinaryArray::new(offsets, bytes.into(), nulls))
                } else {
                    Arc::new(StringArray::new(offsets, bytes.into(), nulls))
                }
            }
        }
    }

    fn narrow_array(&self, keys: &[i64], nulls: Option<NullBuffer>) -> ArrayRef {
        let zone = matches!(self.data_type, DataType::TimestampLtz(_)).then_some("UTC");
        match self.data_type {
            DataType::Boolean => {
                let mut builder = BooleanBuilder::with_capacity(keys.len());
                for (row, &key) in keys.iter().enumerate() {
                    builder.append_option(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then_some(key != 0));
                }
                Arc::new(builder.finish())
            }
            // The keys were widened from these types, so that nothing is cut.
            DataType::TinyInt => narrowed::<Int8Type>(keys, nulls, |key| key as i8),
            DataType::SmallInt => narrowed::<Int16Type>(keys, nulls, |key| key as i16),
            DataType::Int => narrowed::<Int32Type>(keys, nulls, |key| key as i32),
            DataType::Float => narrowed::<Float32Type>(keys, nulls, |key| f32::from_bits(key as u32)),
            DataType::Double => narrowed::<Float64Type>(keys, nulls, |key| f64::from_bits(key.cast_unsigned())),
            DataType::Date => narrowed::<Date32Type>(keys, nulls, |key| key as i32),
            DataType::Time(_) => narrowed::<Time32MillisecondType>(keys, nulls, |key| key as i32),
            DataType::Timestamp(_) | DataType::TimestampLtz(_) => match self.data_type.units_per_second() {
                1_000 => Arc::new(primitive::<TimestampMillisecondType>(keys, nulls).with_timezone_opt(zone)),
                1_000_000 => Arc::new(primitive::<TimestampMicrosecondType>(keys, nulls).with_timezone_opt(zone)),
                _ => Arc::new(primitive::<TimestampNanosecondType>(keys, nulls).with_timezone_opt(zone)),
            },
            DataType::BigInt | DataType::Decimal { .. } | DataType::String | DataType::Bytes => {
                Arc::new(primitive::<Int64Type>(keys, nulls))
            }
        }
    }
}

fn primitive<T: ArrowPrimitiveType<Native = i64>>(keys: &[i64], nulls: Option<NullBuffer>) -> PrimitiveArray<T> {
    PrimitiveArray::new(keys.to_vec().into(), nulls)
}

fn narrowed<T: ArrowPrimitiveType>(keys: &[i64], nulls: Option<NullBuffer>, narrow: fn(i64) -> T::Native) -> ArrayRef {
    let keys: Vec<T::Native> = keys.iter().map(|&key| narrow(key)).collect();
    Arc::new(PrimitiveArray::<T>::new(keys.into(), nulls))
}

/// Enough that work per piece does not count.
const PIECE_ROWS_MAX: usize = 8192;
/// Far from the 2 GiB of an Arrow array, whatever one key has.
const PIECE_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, Decimal128Array, Float64Array, Int64Array};

    use super::*;

    fn interned(keys: &mut Keys, arrays: &[ArrayRef]) -> Vec<usize> {
        let mut ids = vec![99];
        keys.intern(&arrays.iter().collect::<Vec<_>>(), arrays[0].len(), &mut ids);
        ids
    }

    #[test]
    fn ids_are_dense_in_the_order_of_first_appearance() {
        let mut keys = Keys::new(&[DataType::BigInt]);
        let array = |values: Vec<Option<i64>>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
        assert_eq!(interned(&mut keys, &[array(vec![Some(5), Some(7), Some(5), None])]), [0, 1, 0, 2]);
        assert_eq!(interned(&mut keys, &[array(vec![None, Some(0), Some(7)])]), [2, 3, 1]);
        assert_eq!(&keys.columns(0..4)[0], &array(vec![Some(5), Some(7), None, Some(0)]));
        assert_eq!(&keys.columns(2..3)[0], &array(vec![None]));
    }

    #[test]
    fn every_column_counts() {
        let mut keys = Keys::new(&[DataType::String, DataType::Boolean, DataType::Decimal { precision: 5, scale: 2 }]);
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("a"), Some(""), None, Some("a")]));
        let flag: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, None, Some(true)]));
        let money = Decimal128Array::from(vec![Some(1), Some(1), None, None, Some(1)]);
        let money: ArrayRef = Arc::new(money.with_precision_and_scale(5, 2).unwrap());
        let arrays = [text, flag, money];
        assert_eq!(interned(&mut keys, &arrays), [0, 1, 2, 3, 0]);
        for (column, array) in keys.columns(0..4).iter().zip(&arrays) {
            assert_eq!(column, &array.slice(0, 4));
        }
    }

    /// The steady state of a window: its users are known, and a batch of their rows takes no memory.
    #[test]
    fn rows_of_known_keys_take_no_memory() {
        let mut keys = Keys::new(&[DataType::BigInt, DataType::String]);
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|n| format!("user {n}"))));
        let arrays = [&numbers, &texts];
        let mut ids = Vec::new();
        keys.intern(&arrays, 1000, &mut ids);
        let capacity = |keys: &Keys, ids: &Vec<usize>| {
            let columns = keys.columns.iter().map(|column| match &column.values {
                Values::Narrow(values) => values.capacity() * 8,
                Values::Wide(values) => values.capacity() * 16,
                Values::Variable { bytes, ends } => bytes.capacity() + ends.capacity() * 8,
            });
            (columns.sum::<usize>(), keys.ids.capacity(), keys.hashes.capacity(), ids.capacity(), ids.as_ptr())
        };
        let before = capacity(&keys, &ids);
        for _ in 0..10 {
            keys.intern(&arrays, 1000, &mut ids);
        }
        assert_eq!(capacity(&keys, &ids), before);
        assert_eq!(keys.len(), 1000);
    }

    #[test]
    fn floats_are_keys_by_their_bits() {
        let mut keys = Keys::new(&[DataType::Double]);
        let array: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, 0.0, f64::NAN]));
        assert_eq!(interned(&mut keys, &[array]), [0, 1, 2, 0, 2]);
    }

    #[test]
    fn without_a_column_there_is_one_key_once_there_is_a_row() {
        let mut keys = Keys::new(&[]);
        let mut ids = Vec::new();
        keys.intern(&[], 0, &mut ids);
        assert_eq!(keys.len(), 0);
        keys.intern(&[], 3, &mut ids);
        assert_eq!((keys.len(), ids), (1, vec![0, 0, 0]));
    }

    #[test]
    fn pieces_cover_all_keys_once() {
        let mut keys = Keys::new(&[DataType::BigInt]);
        let array: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20_000));
        interned(&mut keys, &[array]);
        assert_eq!(keys.piece(0), 0..8192);
        assert_eq!(keys.piece(8192), 8192..16_384);
        assert_eq!(keys.piece(16_384), 16_384..20_000);
        assert!(keys.piece(20_000).is_empty());
    }
}
