//! The good road: the tables' rows of one message in one version, made into few steps, and walked without a look at rows
//! that other versions have.
//!
//! [`check`](super::check) tries it first. It says where the message ends, or that it does not know: then the walk along
//! the rows finds the field and the byte to name. It accepts nothing that the rows would not; that both say the same is
//! tested with every message. Steps are made when a message is first met, once in the life of the process.

use std::sync::OnceLock;

use super::check::{STRING_BYTES_MAX, Walk, element_bytes, find};
use super::cursor::Cursor;
use super::schema::{Field, Kind, Message, Struct};

/// What to do for the fields of a struct, one after the other.
#[derive(Debug)]
enum Step {
    /// Pass fields that always take the same bytes.
    Skip(usize),
    /// A string of the form of its version.
    Text { is_nullable: bool },
    /// Bytes of the form of their version.
    Bytes { is_nullable: bool },
    /// So many arrays of numbers in a row; their size is a power of two, and a shift takes less time than a product.
    Numbers { times: usize, bytes_log2: u32, is_nullable: bool },
    /// An array of structs.
    Structs { least: usize, size: usize, is_nullable: bool, body: Body },
    /// A struct that stands here.
    Struct(Body),
    /// What is rare: as the rows say.
    Rows(&'static Field),
}

/// The fields of a struct: what comes first and last has no step, which saves the choice of what to do.
#[derive(Debug)]
pub(super) struct Body {
    /// Bytes of fields at the start that always take the same.
    skip: usize,
    steps: Box<[Step]>,
    /// Whose tagged fields end it. Only an empty section is passed here.
    structure: &'static Struct,
}

/// The plans of each message, by the number of its struct; one plan for each version from the least on.
static PLANS: [OnceLock<Box<[Body]>>; STRUCTS_MAX] = [const { OnceLock::new() }; STRUCTS_MAX];

/// More than there are structs; a message beyond would have no plan, only the rows. A test watches it.
const STRUCTS_MAX: usize = 512;

/// The plan of a message in a version that it has.
pub(super) fn of(message: &Message, version: i16) -> Option<&'static Body> {
    let first = message.versions.min;
    let plans = PLANS.get(usize::from(message.body))?.get_or_init(|| {
        let plan = |version| Maker { version, is_flexible: version >= message.flexible }.body(message.body);
        (first..=message.versions.max).map(plan).collect()
    });
    plans.get(usize::try_from(version.checked_sub(first)?).ok()?)
}

/// Makes steps of rows.
struct Maker {
    version: i16,
    is_flexible: bool,
}

impl Maker {
    fn body(&self, number: u16) -> Body {
        let structure = find(number);
        let mut steps = Vec::new();
        for field in structure.fields {
            if field.tag.is_none() && field.versions.contains(self.version) {
                self.field(field, &mut steps);
            }
        }
        let skip = match steps.first() {
            Some(Step::Skip(bytes)) => *bytes,
            _ => 0,
        };
        let steps = steps.into_iter().skip(usize::from(skip > 0)).collect();
        Body { skip, steps, structure }
    }

    fn field(&self, field: &'static Field, steps: &mut Vec<Step>) {
        let is_nullable = field.nullable.contains(self.version);
        if self.is_flexible && field.is_old_form {
            return steps.push(Step::Rows(field));
        }
        match (field.kind, field.kind.fixed_bytes(), field.is_array) {
            (_, Some(bytes), true) => {
                let bytes_log2 = bytes.trailing_zeros();
                match steps.last_mut() {
                    Some(Step::Numbers { times, bytes_log2: same, is_nullable: also })
                        if (*same, *also) == (bytes_log2, is_nullable) =>
                    {
                        *times += 1;
                    }
                    _ => steps.push(Step::Numbers { times: 1, bytes_log2, is_nullable }),
                }
            }
            (_, Some(bytes), false) => match steps.last_mut() {
                Some(Step::Skip(before)) => *before += bytes,
                _ => steps.push(Step::Skip(bytes)),
            },
            (Kind::String, None, false) => steps.push(Step::Text { is_nullable }),
            (Kind::Bytes | Kind::Records, None, false) => steps.push(Step::Bytes { is_nullable }),
            (Kind::Struct(number), None, true) => {
                let (least, size) = element_bytes(field.kind, self.version, self.is_flexible);
                steps.push(Step::Structs { least, size, is_nullable, body: self.body(number) });
            }
            (Kind::Struct(number), None, false) if !is_nullable => steps.push(Step::Struct(self.body(number))),
            _ => steps.push(Step::Rows(field)),
        }
    }
}

impl<'a> Walk<'a> {
    /// Where the message ends, if it is good and begins where the cursor stands.
    pub(super) fn follow(&mut self, plan: &Body) -> Option<usize> {
        let rest = self.cursor.rest();
        let rest = if self.is_flexible { self.body::<true>(plan, rest) } else { self.body::<false>(plan, rest) };
        rest.map(|rest| self.cursor.end() - rest.len())
    }

    fn body<const COMPACT: bool>(&mut self, body: &Body, rest: &'a [u8]) -> Option<&'a [u8]> {
        let mut budget_left = self.budget_left;
        let mut rest = rest.get(body.skip..)?;
        for step in &body.steps {
            rest = match step {
                Step::Skip(bytes) => rest.get(*bytes..)?,
                Step::Text { is_nullable } => {
                    let (length, behind) = if COMPACT { compact_length(rest)? } else { length16(rest)? };
                    match length {
                        Some(length) if length <= STRING_BYTES_MAX => {
                            let (text, behind) = behind.split_at_checked(length)?;
                            std::str::from_utf8(text).ok()?;
                            behind
                        }
                        None if *is_nullable => behind,
                        Some(_) | None => return None,
                    }
                }
                Step::Bytes { is_nullable } => match length_of::<COMPACT>(rest)? {
                    (Some(length), behind) => behind.get(length..)?,
                    (None, behind) if *is_nullable => behind,
                    (None, _) => return None,
                },
                Step::Numbers { times, bytes_log2, is_nullable } => {
                    for _ in 0..*times {
                        rest = match length_of::<COMPACT>(rest)? {
                            (Some(count), behind) => {
                                // Counts have 32 bits, and numbers are of two to the power of four bytes at the most.
                                let bytes = if count > behind.len() { return None } else { count << bytes_log2 };
                                budget_left = budget_left.checked_sub(bytes)?;
                                behind.get(bytes..)?
                            }
                            (None, behind) if *is_nullable => behind,
                            (None, _) => return None,
                        };
                    }
                    rest
                }
                Step::Structs { least, size, is_nullable, body } => match length_of::<COMPACT>(rest)? {
                    (Some(count), mut behind) => {
                        if count.checked_mul(*least)? > behind.len() {
                            return None;
                        }
                        self.budget_left = budget_left.checked_sub(count.checked_mul(*size)?)?;
                        for _ in 0..count {
                            behind = self.body::<COMPACT>(body, behind)?;
                        }
                        budget_left = self.budget_left;
                        behind
                    }
                    (None, behind) if *is_nullable => behind,
                    (None, _) => return None,
                },
                Step::Struct(body) => {
                    self.budget_left = budget_left;
                    let behind = self.body::<COMPACT>(body, rest)?;
                    budget_left = self.budget_left;
                    behind
                }
                Step::Rows(field) => {
                    self.budget_left = budget_left;
                    let behind = self.by_rows(rest, |walk| walk.field(field).is_ok())?;
                    budget_left = self.budget_left;
                    behind
                }
            };
        }
        self.budget_left = budget_left;
        match rest {
            _ if !COMPACT => Some(rest),
            [0, behind @ ..] => Some(behind),
            _ => self.by_rows(rest, |walk| walk.tagged_fields(body.structure).is_ok()),
        }
    }

    /// Lets the rows pass a part of the message.
    #[inline(never)]
    fn by_rows(&mut self, rest: &'a [u8], pass: impl FnOnce(&mut Self) -> bool) -> Option<&'a [u8]> {
        self.cursor = Cursor::new(self.cursor.bytes(), self.cursor.end() - rest.len());
        pass(self).then(|| self.cursor.rest())
    }
}

/// A length or count, and what comes behind it.
type Length<'a> = Option<(Option<usize>, &'a [u8])>;

#[inline]
fn length_of<const COMPACT: bool>(rest: &[u8]) -> Length<'_> {
    if COMPACT { compact_length(rest) } else { length32(rest) }
}

/// Most are of one byte, and most others of two.
#[inline]
fn compact_length(rest: &[u8]) -> Length<'_> {
    match *rest {
        [low, ref behind @ ..] if low < 0x80 => Some((usize::from(low).checked_sub(1), behind)),
        [low, high @ 1..0x80, ref behind @ ..] => {
            Some(((usize::from(low & 0x7f) | usize::from(high) << 7).checked_sub(1), behind))
        }
        _ => long_compact_length(rest),
    }
}

#[inline(never)]
fn long_compact_length(rest: &[u8]) -> Length<'_> {
    let mut cursor = Cursor::new(rest, 0);
    let length = cursor.compact_length().ok()?;
    Some((length, cursor.rest()))
}

#[inline]
fn length32(rest: &[u8]) -> Length<'_> {
    let (length, behind) = rest.split_first_chunk()?;
    known(i32::from_be_bytes(*length), behind)
}

#[inline]
fn length16(rest: &[u8]) -> Length<'_> {
    let (length, behind) = rest.split_first_chunk()?;
    known(i16::from_be_bytes(*length).into(), behind)
}

#[inline]
fn known(length: i32, behind: &[u8]) -> Length<'_> {
    match length {
        -1 => Some((None, behind)),
        _ => usize::try_from(length).ok().map(|length| (Some(length), behind)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::STRUCTS;
    use super::*;

    #[test]
    fn every_struct_has_a_place() {
        assert!(STRUCTS.len() <= STRUCTS_MAX);
    }
}
