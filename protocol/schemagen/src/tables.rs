//! The text of `guard/tables.rs`: a row for each struct and each field of the messages that have a struct.
//!
//! Comes after [`schema`](super::schema). Structs are numbered, those inside before those around them, so that a walk
//! which goes from a struct only to lower numbers ends.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use tidemill_protocol::ApiKey;

use crate::schema::{Field, Schema, Versions};

/// The tables as Rust.
pub(crate) fn render(kafka: &str, schemas: &[Schema]) -> Result<String, Box<dyn Error>> {
    let mut tables = Tables::default();
    let (mut requests, mut responses, mut headers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    // Only the request says that the newest version may still change; it is meant for both.
    let unstable: Vec<i16> =
        schemas.iter().filter(|schema| schema.latest_version_unstable).filter_map(|schema| schema.api_key).collect();
    for schema in schemas {
        let (list, key) = match (schema.kind.as_str(), schema.api_key) {
            ("request", Some(key)) => (&mut requests, key),
            ("response", Some(key)) => (&mut responses, key),
            ("header", None) => (&mut headers, if schema.name == "RequestHeader" { 0 } else { 1 }),
            _ => continue,
        };
        let api = ApiKey(key);
        if schema.api_key.is_some() && api.name().is_none() {
            continue;
        }
        let mut versions = schema.valid_versions;
        if schema.api_key.is_some_and(|key| unstable.contains(&key)) {
            versions.last -= 1;
        }
        let body = Message { schema, versions }.render(&mut tables)?;
        let flexible = schema.flexible_versions.intersect(versions);
        let flexible = if flexible.is_none() { "NEVER".to_owned() } else { flexible.first.to_string() };
        let Versions { first, last } = versions;
        list.insert(
            key,
            format!(
                "Message {{ api: {key}, versions: v({first}, {last}), flexible: {flexible}, body: {body} }}, // {}\n",
                schema.name
            ),
        );
    }
    let header = |key: i16| headers.get(&key).map(|row| row.replace("}, //", "}; //")).ok_or("a header has no schema");
    let list = |rows: BTreeMap<i16, String>| rows.into_values().map(|row| format!("    {row}")).collect::<String>();
    Ok(format!(
        "// Generated from the message schemas of Apache Kafka {kafka} by `cargo run -p tidemill-schemagen`.\n\
         //! What fields each message has in each version. The rows are explained in [`schema`](super::schema).\n\n\
         use std::mem::size_of;\n\n\
         use kafka_protocol::messages as m;\n\n\
         use super::schema::Kind::*;\n\
         use super::schema::{{Message, NEVER, Struct, a, f, v}};\n\n\
         pub(super) static REQUEST_HEADER: Message = {}\
         pub(super) static RESPONSE_HEADER: Message = {}\n\
         pub(super) static REQUESTS: &[Message] = &[\n{}];\n\n\
         pub(super) static RESPONSES: &[Message] = &[\n{}];\n\n\
         pub(super) static STRUCTS: &[Struct] = &[\n{}];\n",
        header(0)?,
        header(1)?,
        list(requests),
        list(responses),
        tables.rows,
    ))
}

#[derive(Default)]
struct Tables {
    rows: String,
    count: u16,
}

struct Message<'a> {
    schema: &'a Schema,
    versions: Versions,
}

/// A struct that has its row: its number, and the fewest bytes it takes on the wire in each version.
#[derive(Clone)]
struct Rendered {
    number: u16,
    least: BTreeMap<i16, usize>,
}

impl Message<'_> {
    fn render(&self, tables: &mut Tables) -> Result<u16, Box<dyn Error>> {
        let mut common = BTreeMap::new();
        // A shared struct may hold another: those without missing parts first.
        let mut waiting: Vec<_> = self.schema.common_structs.iter().collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut still = Vec::new();
            for shared in waiting {
                if shared.fields.iter().all(|field| self.is_known(field, &common)) {
                    let rendered = self.structure(&shared.name, &shared.fields, &common, tables)?;
                    common.insert(shared.name.clone(), rendered);
                } else {
                    still.push(shared);
                }
            }
            if still.len() == before {
                return Err(format!("{}: structs that hold each other", self.schema.name).into());
            }
            waiting = still;
        }
        Ok(self.structure(&self.schema.name, &self.schema.fields, &common, tables)?.number)
    }

    fn is_known(&self, field: &Field, common: &BTreeMap<String, Rendered>) -> bool {
        let element = field.kind.strip_prefix("[]").unwrap_or(&field.kind);
        primitive(element).is_some()
            || common.contains_key(element)
            || (!field.fields.is_empty() && field.fields.iter().all(|field| self.is_known(field, common)))
    }

    fn structure(
        &self,
        name: &str,
        fields: &[Field],
        common: &BTreeMap<String, Rendered>,
        tables: &mut Tables,
    ) -> Result<Rendered, Box<dyn Error>> {
        let mut rows = String::new();
        let mut least: BTreeMap<i16, usize> =
            (self.versions.first..=self.versions.last).map(|version| (version, 0)).collect();
        for (version, bytes) in &mut least {
            if self.schema.flexible_versions.contains(*version) {
                *bytes += 1; // the count of tagged fields
            }
        }
        for field in fields {
            let (element, is_array) = match field.kind.strip_prefix("[]") {
                Some(element) => (element, true),
                None => (field.kind.as_str(), false),
            };
            let inner = match (primitive(element), common.get(element)) {
                (Some(_), _) => None,
                (None, Some(shared)) => Some(shared.clone()),
                (None, None) if !field.fields.is_empty() => {
                    Some(self.structure(element, &field.fields, common, tables)?)
                }
                (None, None) => return Err(format!("{name}: `{element}` is no type").into()),
            };
            let versions = field.versions.intersect(self.versions);
            if versions.is_none() {
                continue;
            }
            if !field.tagged_versions.is_none() && field.tagged_versions.intersect(self.versions) != versions {
                return Err(format!("{name}: `{}` is tagged in some versions only", field.name).into());
            }
            let old_form = field.flexible_versions.is_some_and(Versions::is_none);
            for (version, bytes) in &mut least {
                if versions.contains(*version) && field.tag.is_none() {
                    let compact = self.schema.flexible_versions.contains(*version) && !old_form;
                    let nullable = field.nullable_versions.contains(*version);
                    *bytes += least_bytes(element, is_array, compact, nullable, inner.as_ref(), *version);
                }
            }
            let kind = match (&inner, primitive(element)) {
                (Some(inner), _) => format!("Struct({})", inner.number),
                (None, primitive) => primitive.unwrap_or_default().to_owned(),
            };
            let row_of = if is_array { "a" } else { "f" };
            let mut row = format!("{row_of}(\"{}\", {kind})", snake_case(&field.name));
            self.range(&mut row, "since", "until", versions)?;
            let nullable = field.nullable_versions.intersect(versions);
            if nullable == versions {
                row.push_str(".nullable()");
            } else if !nullable.is_none() {
                write!(row, ".nullable_in({}, {})", nullable.first, nullable.last)?;
            }
            if let Some(tag) = field.tag {
                write!(row, ".tag({tag})")?;
            }
            if old_form {
                row.push_str(".old_form()");
            }
            writeln!(rows, "        {row},")?;
        }
        let number = tables.count;
        tables.count += 1;
        let module = snake_case(&self.schema.name);
        let least_rows =
            steps(&least).iter().map(|(v, bytes)| format!("({v}, {bytes})")).collect::<Vec<_>>().join(", ");
        let fields = if rows.is_empty() { "&[]".to_owned() } else { format!("&[\n{rows}    ]") };
        writeln!(
            tables.rows,
            "    /* {number} */ Struct {{ size: size_of::<m::{module}::{name}>(), least: &[{least_rows}], fields: {fields} }},"
        )?;
        Ok(Rendered { number, least })
    }

    /// The ends of a range, as far as they differ from the message's.
    fn range(&self, row: &mut String, since: &str, until: &str, versions: Versions) -> std::fmt::Result {
        if versions.first > self.versions.first {
            write!(row, ".{since}({})", versions.first)?;
        }
        if versions.last < self.versions.last {
            write!(row, ".{until}({})", versions.last)?;
        }
        Ok(())
    }
}

/// The fewest bytes of a field: nothing in it, or null.
fn least_bytes(
    element: &str,
    is_array: bool,
    compact: bool,
    nullable: bool,
    inner: Option<&Rendered>,
    version: i16,
) -> usize {
    match element {
        _ if is_array => {
            if compact {
                1
            } else {
                4
            }
        }
        "string" => {
            if compact {
                1
            } else {
                2
            }
        }
        "bytes" | "records" => {
            if compact {
                1
            } else {
                4
            }
        }
        "bool" | "int8" => 1,
        "int16" | "uint16" => 2,
        "int32" => 4,
        "int64" | "float64" => 8,
        "uuid" => 16,
        // A struct that may be null has a byte in front that says whether it is.
        _ if nullable => 1,
        _ => inner.and_then(|inner| inner.least.get(&version)).copied().unwrap_or(0),
    }
}

/// The versions in which a number changes.
fn steps(least: &BTreeMap<i16, usize>) -> Vec<(i16, usize)> {
    let mut steps: Vec<(i16, usize)> = Vec::new();
    for (version, bytes) in least {
        if steps.last().is_none_or(|(_, last)| last != bytes) {
            steps.push((*version, *bytes));
        }
    }
    steps
}

/// The guard's name of a type of Kafka's that is no struct.
fn primitive(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "bool" => "Bool",
        "int8" => "Int8",
        "int16" => "Int16",
        "uint16" => "Uint16",
        "int32" => "Int32",
        "int64" => "Int64",
        "float64" => "Float64",
        "uuid" => "Uuid",
        "string" => "String",
        "bytes" => "Bytes",
        "records" => "Records",
        _ => return None,
    })
}

/// `ThrottleTimeMs` to `throttle_time_ms`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{ "apiKey": 0, "type": "request", "name": "ProduceRequest",
        "validVersions": "1-4", "flexibleVersions": "3+", "latestVersionUnstable": true,
        "fields": [
            { "name": "Acks", "type": "int16", "versions": "0+" },
            { "name": "TopicData", "type": "[]Topic", "versions": "2+", "nullableVersions": "3+", "fields": [
                { "name": "Name", "type": "string", "versions": "0-2" } ] },
            { "name": "Extra", "type": "uuid", "versions": "3+", "taggedVersions": "3+", "tag": 0 } ] }"#;

    #[test]
    fn a_message_becomes_rows() {
        let schema = crate::schema::read(SCHEMA).unwrap();
        let mut tables = Tables::default();
        let body = Message { schema: &schema, versions: Versions { first: 1, last: 3 } }.render(&mut tables).unwrap();
        assert_eq!(body, 1);
        let expected = [
            "    /* 0 */ Struct { size: size_of::<m::produce_request::Topic>(), least: &[(1, 2), (3, 1)], fields: &[",
            "        f(\"name\", String).until(2),",
            "    ] },",
            "    /* 1 */ Struct { size: size_of::<m::produce_request::ProduceRequest>(), \
             least: &[(1, 2), (2, 6), (3, 4)], fields: &[",
            "        f(\"acks\", Int16),",
            "        a(\"topic_data\", Struct(0)).since(2).nullable_in(3, 3),",
            "        f(\"extra\", Uuid).since(3).tag(0),",
            "    ] },",
        ];
        assert_eq!(tables.rows.lines().collect::<Vec<_>>(), expected);
    }
}
