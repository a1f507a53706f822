//! The good road: the tables' rows of one message in one version, made into few steps, and walked without a look at rows
//! that other versions have.
//!
//! [`check`](super::check) tries it first. It says where the message ends, or that it does not know: then the walk along
//! the rows finds the field and the byte to name. It accepts nothing that the rows would not; that both say the same is
//! tested with every message. Steps are made when a message is first met, once in the life of the process.
//!
//! What makes it cheap beside the decoder behind it: fields of a fixed width cost nothing of their own (the next step
//! passes them), the elements of an array are one loop, and text of ASCII is looked at eight bytes at a time.

use std::sync::OnceLock;

use super::check::{STRING_BYTES_MAX, Walk, element_bytes, find};
use super::cursor::Cursor;
use super::schema::{Field, Kind, Message, Struct};

/// What to do for a message, or for each element of an array.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Box<[Step]>,
    /// Bytes of the fields behind the last step, which always take the same.
    skip: usize,
    /// Whose tagged fields end it. Only an empty section is passed here.
    structure: &'static Struct,
}

/// A field that has to be looked at.
#[derive(Debug)]
struct Step {
    /// Bytes of the fields before it that always take the same.
    skip: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A string of the form of its version.
    Text { is_nullable: bool },
    /// Bytes of the form of their version.
    Bytes { is_nullable: bool },
    /// Arrays of numbers in a row.
    Numbers(Numbers),
    /// An array of structs.
    Structs(Box<Structs>),
    /// The tagged fields of a struct that stands in another one, whose steps are among those of that.
    Tags(&'static Struct),
    /// What is rare: as the rows say.
    Rows(&'static Field),
}

/// So many arrays of numbers, alike; the size of a number is a power of two, and a shift takes less time than a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    times: usize,
    bytes_log2: u32,
    is_nullable: bool,
}

#[derive(Debug)]
struct Structs {
    least: u32,
    size: u32,
    is_nullable: bool,
    /// Tells the array from the others of its message.
    number: usize,
    element: Plan,
}

/// The plans of each message, by the number of its struct; one plan for each version from the least on.
static PLANS: [OnceLock<Box<[Plan]>>; STRUCTS_MAX] = [const { OnceLock::new() }; STRUCTS_MAX];

/// More than there are structs; a message beyond would have no plan, only the rows. A test watches it.
const STRUCTS_MAX: usize = 512;

/// The plan of a message in a version that it has.
pub(super) fn of(message: &Message, version: i16) -> Option<&'static Plan> {
    let first = message.versions.min;
    let plans = PLANS.get(usize::from(message.body))?.get_or_init(|| {
        let plan =
            |version| Maker { version, is_flexible: version >= message.flexible, arrays: 0 }.plan(find(message.body));
        (first..=message.versions.max).map(plan).collect()
    });
    plans.get(usize::try_from(version.checked_sub(first)?).ok()?)
}

/// Makes steps of rows.
struct Maker {
    version: i16,
    is_flexible: bool,
    /// How many arrays of structs there are so far.
    arrays: usize,
}

/// Steps so far, and the bytes of fixed fields that the next one will pass.
#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    skip: usize,
}

impl Steps {
    fn push(&mut self, what: What) {
        self.steps.push(Step { skip: std::mem::take(&mut self.skip), what });
    }
}

impl Maker {
    fn plan(&mut self, structure: &'static Struct) -> Plan {
        let mut steps = Steps::default();
        self.fields(structure, &mut steps);
        Plan { steps: steps.steps.into(), skip: steps.skip, structure }
    }

    fn fields(&mut self, structure: &'static Struct, steps: &mut Steps) {
        for field in structure.fields {
            if field.tag.is_none() && field.versions.contains(self.version) {
                self.field(field, steps);
            }
        }
    }

    fn field(&mut self, field: &'static Field, steps: &mut Steps) {
        let is_nullable = field.nullable.contains(self.version);
        if self.is_flexible && field.is_old_form {
            return steps.push(What::Rows(field));
        }
        match (field.kind, field.kind.fixed_bytes(), field.is_array) {
            (_, Some(bytes), true) => {
                let bytes_log2 = bytes.trailing_zeros();
                match steps.steps.last_mut() {
                    Some(Step { what: What::Numbers(before), .. })
                        if steps.skip == 0 && *before == (Numbers { times: before.times, bytes_log2, is_nullable }) =>
                    {
                        before.times = before.times.saturating_add(1);
                    }
                    _ => steps.push(What::Numbers(Numbers { times: 1, bytes_log2, is_nullable })),
                }
            }
            (_, Some(bytes), false) => steps.skip = steps.skip.saturating_add(bytes),
            (Kind::String, None, false) => steps.push(What::Text { is_nullable }),
            (Kind::Bytes | Kind::Records, None, false) => steps.push(What::Bytes { is_nullable }),
            (Kind::Struct(number), None, true) => {
                let (least, size) = element_bytes(field.kind, self.version, self.is_flexible);
                let (Ok(least), Ok(size)) = (u32::try_from(least), u32::try_from(size)) else {
                    return steps.push(What::Rows(field));
                };
                self.arrays = self.arrays.saturating_add(1);
                let (number, element) = (self.arrays, self.plan(find(number)));
                steps.push(What::Structs(Box::new(Structs { least, size, is_nullable, number, element })));
            }
            (Kind::Struct(number), None, false) if !is_nullable => {
                let structure = find(number);
                self.fields(structure, steps);
                if self.is_flexible {
                    steps.push(What::Tags(structure));
                }
            }
            _ => steps.push(What::Rows(field)),
        }
    }
}

/// What the counts of arrays of numbers are expected to be: those of the element before.
///
/// Partition after partition has as many replicas. To compare with what is expected, instead of adding up what is read,
/// lets the processor go on to the next field before the bytes of this one have come from memory.
#[derive(Debug)]
struct Guesses {
    /// Of which array of structs.
    array: usize,
    places: [Guess; GUESSES],
}

/// How many arrays of numbers in an element are guessed; the others share their places.
const GUESSES: usize = 4;

/// A count as it was written, and what the numbers took.
#[derive(Debug, Clone, Copy)]
struct Guess {
    count: u32,
    size: usize,
}

impl Guesses {
    /// For the elements of an array: no count is written like this where it is compared.
    const fn of(array: usize) -> Self {
        Self { array, places: [Guess { count: u32::MAX, size: 0 }; GUESSES] }
    }
}

impl Walk<'_> {
    /// Where the message ends, if it is good and begins where the cursor stands.
    pub(super) fn follow(&mut self, plan: &Plan) -> Option<usize> {
        let at = self.cursor.at();
        let mut guesses = Guesses::of(0);
        let end = if self.is_flexible {
            self.pass::<true>(plan, 1, at, &mut guesses)
        } else {
            self.pass::<false>(plan, 1, at, &mut guesses)
        };
        end.filter(|end| *end <= self.cursor.bytes().len())
    }

    /// Passes so many elements; each step adds to `at` without a look: that the bytes go as far is known where the next of
    /// them is looked at, and at the end.
    #[inline(never)]
    fn pass<const COMPACT: bool>(
        &mut self,
        plan: &Plan,
        count: usize,
        mut at: usize,
        guesses: &mut Guesses,
    ) -> Option<usize> {
        let bytes = self.cursor.bytes();
        let mut budget_left = self.budget_left;
        for _ in 0..count {
            for step in &plan.steps {
                at = at.wrapping_add(step.skip);
                match &step.what {
                    What::Text { is_nullable } => {
                        let (length, start) = if COMPACT { compact_length(bytes, at)? } else { length16(bytes, at)? };
                        at = match length {
                            Some(length) if length <= STRING_BYTES_MAX => {
                                let text = bytes.get(start..)?.get(..length)?;
                                if !is_ascii(text) {
                                    std::str::from_utf8(text).ok()?;
                                }
                                start.wrapping_add(length)
                            }
                            None if *is_nullable => start,
                            Some(_) | None => return None,
                        }
                    }
                    What::Bytes { is_nullable } => {
                        at = match length_of::<COMPACT>(bytes, at)? {
                            (Some(length), start) => start.wrapping_add(length),
                            (None, behind) if *is_nullable => behind,
                            (None, _) => return None,
                        }
                    }
                    What::Numbers(numbers) => {
                        for _ in 0..numbers.times {
                            let (size, start) = numbers_of::<COMPACT>(*numbers, bytes, at)?;
                            budget_left = budget_left.checked_sub(size)?;
                            at = start.wrapping_add(size);
                        }
                    }
                    What::Structs(structs) => {
                        let (count, start) = length_of::<COMPACT>(bytes, at)?;
                        at = start;
                        let Some(count) = count else { if structs.is_nullable { continue } else { return None } };
                        // A count has 32 bits, and the bytes of its own were there.
                        let times = |each: u32| (count as u64).wrapping_mul(each.into());
                        if times(structs.least) > bytes.len().wrapping_sub(at) as u64 {
                            return None;
                        }
                        self.budget_left = budget_left.checked_sub(usize::try_from(times(structs.size)).ok()?)?;
                        at = match &*structs.element.steps {
                            [Step { skip, what: What::Numbers(numbers) }] => {
                                if guesses.array != structs.number {
                                    *guesses = Guesses::of(structs.number);
                                }
                                let places = &mut guesses.places;
                                self.numbers::<COMPACT>(*skip, *numbers, &structs.element, count, at, places)?
                            }
                            _ => self.pass::<COMPACT>(&structs.element, count, at, guesses)?,
                        };
                        budget_left = self.budget_left;
                    }
                    What::Tags(structure) => at = self.behind_tags::<COMPACT>(structure, at, &mut budget_left)?,
                    What::Rows(field) => {
                        at = self.by_rows(at, &mut budget_left, |walk| walk.field(field).is_ok())?;
                    }
                }
            }
            at = at.wrapping_add(plan.skip);
            at = self.behind_tags::<COMPACT>(plan.structure, at, &mut budget_left)?;
        }
        self.budget_left = budget_left;
        Some(at)
    }

    /// The same for elements that hold fixed fields and arrays of numbers.
    #[inline(never)]
    fn numbers<const COMPACT: bool>(
        &mut self,
        skip: usize,
        numbers: Numbers,
        element: &Plan,
        count: usize,
        mut at: usize,
        guesses: &mut [Guess; GUESSES],
    ) -> Option<usize> {
        let bytes = self.cursor.bytes();
        let mut budget_left = self.budget_left;
        for _ in 0..count {
            at = at.wrapping_add(skip);
            for index in 0..numbers.times {
                let guess = guesses.get_mut(index % GUESSES)?;
                let count = if COMPACT {
                    u32::from(*bytes.get(at)?)
                } else {
                    u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)
                };
                let (size, start) = if count == guess.count {
                    (guess.size, at.wrapping_add(if COMPACT { 1 } else { 4 }))
                } else {
                    let (size, start) = numbers_of::<COMPACT>(numbers, bytes, at)?;
                    // Compact counts beyond have further bytes.
                    if count < 0x80 {
                        *guess = Guess { count, size };
                    }
                    (size, start)
                };
                budget_left = budget_left.checked_sub(size)?;
                at = start.wrapping_add(size);
            }
            at = at.wrapping_add(element.skip);
            at = self.behind_tags::<COMPACT>(element.structure, at, &mut budget_left)?;
        }
        self.budget_left = budget_left;
        Some(at)
    }

    /// What comes behind the tagged fields that end a struct, of which there are nearly always none.
    #[inline]
    fn behind_tags<const COMPACT: bool>(
        &mut self,
        structure: &'static Struct,
        at: usize,
        budget_left: &mut usize,
    ) -> Option<usize> {
        if !COMPACT {
            return Some(at);
        }
        match self.cursor.bytes().get(at)? {
            0 => Some(at.wrapping_add(1)),
            _ => self.by_rows(at, budget_left, |walk| walk.tagged_fields(structure).is_ok()),
        }
    }

    /// Lets the rows pass a part of the message.
    #[inline]
    fn by_rows(&mut self, at: usize, budget_left: &mut usize, pass: impl FnOnce(&mut Self) -> bool) -> Option<usize> {
        self.budget_left = *budget_left;
        self.cursor = Cursor::new(self.cursor.bytes(), at);
        let is_good = pass(self);
        *budget_left = self.budget_left;
        is_good.then(|| self.cursor.at())
    }
}

/// What the numbers of an array take, and where they begin.
#[inline]
fn numbers_of<const COMPACT: bool>(numbers: Numbers, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    match length_of::<COMPACT>(bytes, at)? {
        (Some(count), start) => Some((count << numbers.bytes_log2, start)),
        (None, behind) if numbers.is_nullable => Some((0, behind)),
        (None, _) => None,
    }
}

/// Whether no byte has its highest bit. The first and the last bytes of a text, which may overlap, are all of most.
#[inline]
fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let bits = u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last);
        return bits & HIGH == 0 && (text.len() <= 32 || text.is_ascii());
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let bits = u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last);
        return u128::from(bits) & HIGH == 0;
    }
    text.iter().fold(0, |bits, byte| bits | byte) < 0x80
}

/// A length or count, `None` for null, and where it ends.
///
/// It is no more than there are bytes, and times 16 (the size of the largest number) it overflows nothing.
type Length = Option<(Option<usize>, usize)>;

#[inline]
fn length_of<const COMPACT: bool>(bytes: &[u8], at: usize) -> Length {
    if COMPACT { compact_length(bytes, at) } else { length32(bytes, at) }
}

/// Most are of one byte.
#[inline]
fn compact_length(bytes: &[u8], at: usize) -> Length {
    match *bytes.get(at)? {
        low @ 1..0x80 => Some((Some(usize::from(low).wrapping_sub(1)), at.wrapping_add(1))),
        _ => long_compact_length(bytes, at),
    }
}

#[inline(never)]
fn long_compact_length(bytes: &[u8], at: usize) -> Length {
    let mut cursor = Cursor::new(bytes, at);
    let length = cursor.compact_length().ok()?;
    bounded(length, bytes, cursor.at())
}

#[inline]
fn length32(bytes: &[u8], at: usize) -> Length {
    fixed_length(i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?), bytes, at.wrapping_add(4))
}

#[inline]
fn length16(bytes: &[u8], at: usize) -> Length {
    fixed_length(i16::from_be_bytes(*bytes.get(at..)?.first_chunk()?).into(), bytes, at.wrapping_add(2))
}

#[inline]
fn fixed_length(length: i32, bytes: &[u8], behind: usize) -> Length {
    match length {
        -1 => Some((None, behind)),
        _ => bounded(Some(usize::try_from(length).ok()?), bytes, behind),
    }
}

#[inline]
fn bounded(length: Option<usize>, bytes: &[u8], behind: usize) -> Length {
    let end = length.unwrap_or(0).checked_mul(16)?.checked_add(behind);
    (end.is_some() && length <= Some(bytes.len())).then_some((length, behind))
}

#[cfg(test)]
mod tests {
    use super::super::tables::STRUCTS;
    use super::*;

    #[test]
    fn every_struct_has_a_place() {
        assert!(STRUCTS.len() <= STRUCTS_MAX);
    }

    #[test]
    fn one_byte_that_is_not_ascii_is_found_at_any_place() {
        for length in 0..100 {
            let mut text = vec![0x7f; length];
            assert!(is_ascii(&text));
            for at in 0..length {
                text[at] = 0x80;
                assert!(!is_ascii(&text), "{at} of {length}");
                text[at] = 0x7f;
            }
        }
    }
}
