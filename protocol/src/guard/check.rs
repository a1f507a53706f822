//! Walks the bytes of a message along its schema and refuses what does not fit, before any struct is built.
//!
//! A [plan] is tried first; what is said here of the walk holds for both, and refusals are found here.
//!
//! Comes after the [tables](super::tables), whose rows it follows, and before the decoders of the message structs, which
//! believe every count they read. On the good road nothing is allocated; each byte is looked at once, and the bytes of
//! strings are all that is looked at closely: record batches pass as they are.
//!
//! The walk goes as deep as the tables do (structs only hold structs of lower numbers), never as deep as the bytes say.
//! A message that is read by hand takes the same [`steps`](super::steps) one by one.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::mem::size_of;

use bytes::Bytes;

use super::cursor::{Cursor, Reason};
use super::schema::{Field, Kind, Message, Struct};
use super::tables::STRUCTS;
use super::{Budget, plan};
use crate::error::DecodeError;

/// What a struct's map of unknown tagged fields takes in memory with the first of them: a node of a B-tree.
const TAGS_BYTES: usize = 512;
/// What it takes for each further one.
const TAG_BYTES: usize = 128;
/// The longest string that Kafka reads.
pub(super) const STRING_BYTES_MAX: usize = 0x7fff;

const NULL: Reason = "null, which this field may not be";

/// Walks a message that begins at a byte of `bytes`, and returns where it ends.
///
/// The caller knows that the message has this version.
pub(super) fn walk(
    message: &Message,
    version: i16,
    bytes: &[u8],
    start: usize,
    budget: Budget,
) -> Result<usize, DecodeError> {
    if let (Some(end), _) = follow(message, version, bytes, start, budget) {
        return Ok(end);
    }
    walk_rows(message, version, bytes, start, budget).0
}

/// Where the message ends by its [plan], and what is left of the budget.
pub(super) fn follow(
    message: &Message,
    version: i16,
    bytes: &[u8],
    start: usize,
    budget: Budget,
) -> (Option<usize>, usize) {
    let mut walk = Walk::new(message, version, bytes, start, budget);
    let end = plan::of(message, version).and_then(|plan| walk.follow(plan));
    (end, walk.budget_left)
}

/// The same without the plan: slower, and knows what is wrong.
pub(super) fn walk_rows(
    message: &Message,
    version: i16,
    bytes: &[u8],
    start: usize,
    budget: Budget,
) -> (Result<usize, DecodeError>, usize) {
    let mut walk = Walk::new(message, version, bytes, start, budget);
    let walked = walk.structure(find(message.body));
    (walked.map(|()| walk.cursor.at()).map_err(|refusal| refusal.into_error()), walk.budget_left)
}

/// The row of a struct. That every number in the tables has one is tested.
pub(super) fn find(number: u16) -> &'static Struct {
    static NOTHING: Struct = Struct { size: 0, least: &[], fields: &[] };
    STRUCTS.get(usize::from(number)).unwrap_or(&NOTHING)
}

/// A walk under way.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) version: i16,
    pub(super) is_flexible: bool,
    budget_bytes: usize,
    pub(super) budget_left: usize,
}

/// What a step gives, or why the message is refused.
pub(crate) type Walked<T = ()> = Result<T, Box<Refusal>>;

impl<'a> Walk<'a> {
    pub(super) const fn new(message: &Message, version: i16, bytes: &'a [u8], start: usize, budget: Budget) -> Self {
        let budget_bytes = budget.bytes_for(bytes.len());
        Self {
            cursor: Cursor::new(bytes, start),
            version,
            is_flexible: version >= message.flexible,
            budget_bytes,
            budget_left: budget_bytes,
        }
    }

    fn structure(&mut self, structure: &Struct) -> Walked {
        for field in structure.fields {
            if field.tag.is_none() && field.versions.contains(self.version) {
                self.field(field)?;
            }
        }
        if self.is_flexible { self.tagged_fields(structure) } else { Ok(()) }
    }

    pub(super) fn field(&mut self, field: &Field) -> Walked {
        let is_compact = self.is_flexible && !field.is_old_form;
        let is_nullable = field.nullable.contains(self.version);
        let walked = if field.is_array {
            self.array(field.kind, is_compact, is_nullable)
        } else {
            self.value(field.kind, is_compact, is_nullable)
        };
        walked.map_err(|refusal| refusal.inside(Step::Field(field.name)))
    }

    fn array(&mut self, kind: Kind, is_compact: bool, is_nullable: bool) -> Walked {
        let Some(count) = self.count(element_bytes(kind, self.version, is_compact), is_compact, is_nullable)? else {
            return Ok(());
        };
        if let Some(bytes) = kind.fixed_bytes() {
            return self.skip(bytes.saturating_mul(count));
        }
        for index in 0..count {
            self.value(kind, is_compact, false).map_err(|refusal| refusal.inside(Step::Index(index)))?;
        }
        Ok(())
    }

    /// The count of an array, `None` for null; its elements take at least so many bytes on the wire, and so many in
    /// memory, which are charged.
    pub(super) fn count(
        &mut self,
        (least, size): (usize, usize),
        is_compact: bool,
        is_nullable: bool,
    ) -> Walked<Option<usize>> {
        let at = self.cursor.at();
        let count = if is_compact { self.cursor.compact_length() } else { self.cursor.length32() };
        let Some(count) = count.map_err(|reason| Refusal::new(at, reason))? else {
            return if is_nullable { Ok(None) } else { Err(Refusal::new(at, NULL)) };
        };
        let left = self.cursor.left();
        // An element that may take no bytes at all is bounded by the budget: in memory it takes some.
        if least.checked_mul(count).is_none_or(|bytes| bytes > left) {
            let reason = format!("{count} elements of at least {least} bytes each, and {left} bytes are left");
            return Err(Refusal::new(at, reason));
        }
        self.charge(at, size.saturating_mul(count))?;
        Ok(Some(count))
    }

    fn value(&mut self, kind: Kind, is_compact: bool, is_nullable: bool) -> Walked {
        let at = self.cursor.at();
        match kind {
            Kind::Bool | Kind::Int8 => self.skip(1),
            Kind::Int16 | Kind::Uint16 => self.skip(2),
            Kind::Int32 => self.skip(4),
            Kind::Int64 | Kind::Float64 => self.skip(8),
            Kind::Uuid => self.skip(16),
            Kind::String => self.string(is_compact, is_nullable).map(|_| ()),
            Kind::Bytes | Kind::Records => self.bytes(is_compact, is_nullable).map(|_| ()),
            Kind::Struct(number) => {
                if is_nullable {
                    match self.cursor.i8().map_err(|reason| Refusal::new(at, reason))? {
                        -1 => return Ok(()),
                        1 => {}
                        _ => return Err(Refusal::new(at, "a struct that is neither there (1) nor null (-1)")),
                    }
                }
                self.structure(find(number))
            }
        }
    }

    fn skip(&mut self, bytes: usize) -> Walked {
        let at = self.cursor.at();
        self.cursor.take(bytes).map(|_| ()).map_err(|reason| Refusal::new(at, reason))
    }

    /// A string, `None` for null.
    pub(super) fn string(&mut self, is_compact: bool, is_nullable: bool) -> Walked<Option<&'a str>> {
        let at = self.cursor.at();
        let length = if is_compact { self.cursor.compact_length() } else { self.cursor.length16() };
        let Some(text) = self.sized(at, length, is_nullable)? else { return Ok(None) };
        if text.len() > STRING_BYTES_MAX {
            return Err(Refusal::new(at, "a string of more than 32767 bytes"));
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Refusal::new(at, "a string that is not UTF-8")),
        }
    }

    /// Bytes, `None` for null.
    pub(super) fn bytes(&mut self, is_compact: bool, is_nullable: bool) -> Walked<Option<&'a [u8]>> {
        let at = self.cursor.at();
        let length = if is_compact { self.cursor.compact_length() } else { self.cursor.length32() };
        self.sized(at, length, is_nullable)
    }

    /// The bytes of a string or of bytes whose length was read at `at`; `None` for null.
    fn sized(
        &mut self,
        at: usize,
        length: Result<Option<usize>, Reason>,
        is_nullable: bool,
    ) -> Walked<Option<&'a [u8]>> {
        match length {
            Ok(Some(length)) => {
                let left = self.cursor.left();
                let taken = self.cursor.take(length).map(Some);
                taken.map_err(|_| Refusal::new(at, format!("{length} bytes, and {left} are left")))
            }
            Ok(None) if is_nullable => Ok(None),
            Ok(None) => Err(Refusal::new(at, NULL)),
            Err(reason) => Err(Refusal::new(at, reason)),
        }
    }

    /// The section that ends every struct of a flexible version (KIP-482).
    pub(super) fn tagged_fields(&mut self, structure: &Struct) -> Walked {
        self.tagged_fields_by(structure, Self::field)
    }

    /// The same, with the fields that the version knows given to `known`, which has no more before it than their bytes.
    pub(super) fn tagged_fields_by(
        &mut self,
        structure: &Struct,
        mut known: impl FnMut(&mut Self, &Field) -> Walked,
    ) -> Walked {
        let mut previous = None;
        let mut has_unknown = false;
        let inside = |refusal: Box<Refusal>| refusal.inside(Step::Field("tagged fields"));
        let count = self.varint().map_err(inside)?;
        for _ in 0..count {
            let at = self.cursor.at();
            let refuse = |reason: &'static str| Err(inside(Refusal::new(at, reason)));
            let tag = self.varint().map_err(inside)?;
            if previous.is_some_and(|previous| tag <= previous) {
                return refuse("a tag that is repeated or out of order");
            }
            if i32::try_from(tag).is_err() {
                return refuse("a tag of more than 31 bits");
            }
            previous = Some(tag);
            let size = self.varint().map_err(inside)?;
            let value = usize::try_from(size).ok().and_then(|size| self.cursor.split(size).ok());
            let Some(value) = value else {
                return refuse("a tagged field that is longer than what is left");
            };
            match structure.tagged(tag) {
                Some(field) if field.versions.contains(self.version) => {
                    let behind = std::mem::replace(&mut self.cursor, value);
                    known(self, field)?;
                    if self.cursor.left() > 0 {
                        let refusal = Refusal::new(self.cursor.at(), "a tagged field that is shorter than its size");
                        return Err(refusal.inside(Step::Field(field.name)));
                    }
                    self.cursor = behind;
                }
                Some(_) => return refuse("a tag that belongs to another version"),
                None => {
                    self.charge(at, if has_unknown { TAG_BYTES } else { TAGS_BYTES }).map_err(inside)?;
                    has_unknown = true;
                }
            }
        }
        Ok(())
    }

    fn varint(&mut self) -> Walked<u32> {
        let at = self.cursor.at();
        self.cursor.varint().map_err(|reason| Refusal::new(at, reason))
    }

    /// Takes what a part of the message will allocate from the budget.
    fn charge(&mut self, at: usize, bytes: usize) -> Walked {
        match self.budget_left.checked_sub(bytes) {
            Some(left) => {
                self.budget_left = left;
                Ok(())
            }
            None => {
                let reason = format!("the message would take more than {} bytes of memory", self.budget_bytes);
                Err(Refusal::new(at, reason))
            }
        }
    }
}

/// The fewest bytes that an element of an array takes on the wire, and those it takes in memory.
pub(super) fn element_bytes(kind: Kind, version: i16, is_compact: bool) -> (usize, usize) {
    match kind {
        Kind::Bool | Kind::Int8 => (1, 1),
        Kind::Int16 | Kind::Uint16 => (2, 2),
        Kind::Int32 => (4, 4),
        Kind::Int64 | Kind::Float64 => (8, 8),
        Kind::Uuid => (16, 16),
        Kind::String => (if is_compact { 1 } else { 2 }, size_of::<Bytes>()),
        Kind::Bytes | Kind::Records => (if is_compact { 1 } else { 4 }, size_of::<Bytes>()),
        Kind::Struct(number) => {
            let structure = find(number);
            (structure.least_bytes(version), structure.size)
        }
    }
}

/// Why a message is refused; its path grows from the inside out while the walk returns.
#[derive(Debug)]
pub(crate) struct Refusal {
    offset: usize,
    reason: Cow<'static, str>,
    path: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Field(&'static str),
    Index(usize),
}

impl Refusal {
    #[cold]
    pub(super) fn new(offset: usize, reason: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self { offset, reason: reason.into(), path: Vec::new() })
    }

    #[cold]
    pub(super) fn inside(mut self: Box<Self>, step: Step) -> Box<Self> {
        self.path.push(step);
        self
    }

    #[cold]
    pub(super) fn into_error(self) -> DecodeError {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                // Writing to a string cannot fail.
                Step::Index(index) => drop(write!(path, "[{index}]")),
            }
        }
        DecodeError::new(self.offset, self.reason).in_field(path)
    }
}
