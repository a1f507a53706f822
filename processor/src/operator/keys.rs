//! Keys to dense ids: the first key that is new gets 0, the next 1.
//!
//! Before: columns of keys, as decoded or as another numbered them. After: the aggregates count by id, and at the end the
//! keys come back as columns in the order of their ids. Nothing is allocated for a row whose key is known.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::DataType;
use hashbrown::{DefaultHashBuilder, HashTable};

/// The keys of one slice, by their ids.
#[derive(Debug)]
pub(super) enum Keys {
    /// No key: all rows are one group.
    None { seen: bool },
    /// One BIGINT, the usual case.
    BigInt(BigIntKeys),
    /// Anything else.
    Rows(Box<RowKeys>),
}

impl Keys {
    /// Keys of these types.
    pub(super) fn new(types: &[DataType]) -> Self {
        match types {
            [] => Self::None { seen: false },
            [DataType::Int64] => Self::BigInt(BigIntKeys::default()),
            _ => Self::Rows(Box::new(RowKeys::new(types))),
        }
    }

    /// How many different keys there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None { seen } => usize::from(*seen),
            Self::BigInt(keys) => keys.values.len(),
            Self::Rows(keys) => keys.rows.num_rows(),
        }
    }

    /// Appends the id of each of `row_count` rows to `ids`. The columns are of the types that `new` was given.
    pub(super) fn intern(&mut self, columns: &[ArrayRef], row_count: usize, ids: &mut Vec<u32>) {
        match self {
            Self::None { seen } => {
                *seen |= row_count > 0;
                ids.resize(ids.len() + row_count, 0);
            }
            Self::BigInt(keys) => columns.iter().for_each(|column| keys.intern(column.as_primitive(), ids)),
            Self::Rows(keys) => keys.intern(columns, ids),
        }
    }

    /// The keys as columns, in the order of their ids.
    pub(super) fn into_columns(self) -> Vec<ArrayRef> {
        match self {
            Self::None { .. } => Vec::new(),
            Self::BigInt(keys) => vec![Arc::new(Int64Array::from(keys.values))],
            Self::Rows(keys) => {
                keys.converter.convert_rows(&keys.rows).expect("rows that this converter made, it can read back")
            }
        }
    }
}

/// Keys of one BIGINT column; NULL is a key like any other.
#[derive(Debug, Default)]
pub(super) struct BigIntKeys {
    hasher: DefaultHashBuilder,
    ids: HashTable<u32>,
    values: Vec<Option<i64>>,
}

impl BigIntKeys {
    fn intern(&mut self, column: &Int64Array, ids: &mut Vec<u32>) {
        ids.reserve(column.len());
        match column.nulls() {
            None => ids.extend(column.values().iter().map(|value| self.id(Some(*value)))),
            Some(_) => ids.extend(column.iter().map(|value| self.id(value))),
        }
    }

    fn id(&mut self, key: Option<i64>) -> u32 {
        let Self { hasher, ids, values } = self;
        let hash = hasher.hash_one(key);
        let found = ids.find(hash, |id| values.get(*id as usize) == Some(&key)).copied();
        found.unwrap_or_else(|| {
            let id = next_id(values.len());
            values.push(key);
            ids.insert_unique(hash, id, |id| hasher.hash_one(values.get(*id as usize).copied().flatten()));
            id
        })
    }
}

/// Keys of any number of columns of any type, each key as a row of bytes.
#[derive(Debug)]
pub(super) struct RowKeys {
    hasher: DefaultHashBuilder,
    ids: HashTable<u32>,
    converter: RowConverter,
    rows: Rows,
    /// The rows of the columns at hand, kept for their memory.
    incoming: Rows,
}

impl RowKeys {
    fn new(types: &[DataType]) -> Self {
        let fields = types.iter().cloned().map(SortField::new).collect();
        let converter = RowConverter::new(fields).expect("flat types, all that SQL has here, can be rows");
        let (rows, incoming) = (converter.empty_rows(0, 0), converter.empty_rows(0, 0));
        Self { hasher: DefaultHashBuilder::default(), ids: HashTable::new(), converter, rows, incoming }
    }

    fn intern(&mut self, columns: &[ArrayRef], ids: &mut Vec<u32>) {
        let Self { hasher, ids: table, converter, rows, incoming } = self;
        incoming.clear();
        converter.append(incoming, columns).expect("the columns are of the types that `new` was given");
        ids.reserve(incoming.num_rows());
        for row in &*incoming {
            let hash = hasher.hash_one(row.as_ref());
            let found = table.find(hash, |id| rows.row(*id as usize) == row).copied();
            let id = found.unwrap_or_else(|| {
                let id = next_id(rows.num_rows());
                rows.push(row);
                table.insert_unique(hash, id, |id| hasher.hash_one(rows.row(*id as usize).as_ref()));
                id
            });
            ids.push(id);
        }
    }
}

/// The id of the next new key. A slice with more groups than fit has no memory left long before.
fn next_id(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Decimal128Array, Float64Array, StringArray};

    use super::*;

    fn ids(keys: &mut Keys, columns: &[ArrayRef]) -> Vec<u32> {
        let mut ids = Vec::new();
        keys.intern(columns, columns.first().map_or(2, |column| column.len()), &mut ids);
        ids
    }

    fn big_ints(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn ids_come_in_the_order_of_first_sight_and_null_is_a_key() {
        let mut keys = Keys::new(&[DataType::Int64]);
        assert_eq!(ids(&mut keys, &[big_ints(&[Some(7), None, Some(7), Some(0)])]), [0, 1, 0, 2]);
        assert_eq!(ids(&mut keys, &[big_ints(&[Some(0), Some(9), None])]), [2, 3, 1]);
        assert_eq!(keys.len(), 4);
        assert_eq!(&keys.into_columns(), &[big_ints(&[Some(7), None, Some(0), Some(9)])]);
    }

    #[test]
    fn without_a_key_all_rows_are_one_group() {
        let mut keys = Keys::new(&[]);
        assert_eq!(keys.len(), 0);
        assert_eq!(ids(&mut keys, &[]), [0, 0]);
        assert_eq!(keys.len(), 1);
        assert!(keys.into_columns().is_empty());
    }

    #[test]
    fn several_columns_make_one_key_and_come_back() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("a"), None, Some("a"), Some("")]));
        let sizes: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), None, Some(1.0), None]));
        let costs = Decimal128Array::from(vec![Some(100), None, None, Some(100), Some(5)]);
        let costs: ArrayRef = Arc::new(costs.with_precision_and_scale(10, 2).unwrap());
        let types = [names.data_type().clone(), sizes.data_type().clone(), costs.data_type().clone()];
        let mut keys = Keys::new(&types);
        assert_eq!(ids(&mut keys, &[Arc::clone(&names), Arc::clone(&sizes), Arc::clone(&costs)]), [0, 1, 2, 0, 3]);
        let back = keys.into_columns();
        assert_eq!(back[0].as_string::<i32>(), &StringArray::from(vec![Some("a"), Some("a"), None, Some("")]));
        assert_eq!(back[2].data_type(), costs.data_type());
    }
}
