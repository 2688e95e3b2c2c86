//! Avro bodies by programs that Python makes from the schemas: constant bytes, and slots to be filled.
//!
//! The twin of `connector/events/codec.py`, which writes every event that is not the first of a snapshot's item.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::json::Span;

/// What fills a slot of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// Text: the name of the slot says which.
    EntityType,
    /// The entity's id.
    Id,
    /// The entity's locale.
    Locale,
    /// The content type.
    ContentType,
    /// The fields, as JSON.
    Fields,
    /// The rest of the item, as JSON.
    Meta,
    /// `source.table`.
    Table,
    /// `event_id`.
    EventId,
    /// The entity's revision.
    Revision,
    /// Milliseconds since 1970.
    CreatedMs,
    /// Milliseconds since 1970.
    UpdatedMs,
    /// The CMS's time of the change in milliseconds, else ours.
    SourceMs,
    /// The place in the stream.
    Sequence,
    /// Our time in milliseconds.
    NowMs,
    /// The CMS's time of the change in microseconds.
    ChangedAt,
    /// The epoch.
    Epoch,
    /// What the entity points to.
    Refs,
    /// The fields that this stands in.
    RefFields,
    /// The digest of the item.
    Digest,
    /// The digest of the content.
    Content,
}

/// What a slot is written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    Text,
    Long,
    Texts,
    Fixed,
    Bytes,
}

impl Slot {
    fn named(name: &str) -> Option<(Slot, &'static [Type])> {
        use Slot::*;
        Some(match name {
            "entity_type" => (EntityType, &[Type::Text]),
            "id" => (Id, &[Type::Text]),
            "locale" => (Locale, &[Type::Text]),
            "content_type" => (ContentType, &[Type::Text]),
            "fields" => (Fields, &[Type::Text]),
            "meta" => (Meta, &[Type::Text]),
            "table" => (Table, &[Type::Text]),
            "event_id" => (EventId, &[Type::Text]),
            "revision" => (Revision, &[Type::Long]),
            "created_ms" => (CreatedMs, &[Type::Long]),
            "updated_ms" => (UpdatedMs, &[Type::Long]),
            "source_ms" => (SourceMs, &[Type::Long]),
            "sequence" => (Sequence, &[Type::Long]),
            "now_ms" => (NowMs, &[Type::Long]),
            "changed_at" => (ChangedAt, &[Type::Long]),
            "epoch" => (Epoch, &[Type::Long]),
            "refs" => (Refs, &[Type::Texts]),
            "ref_fields" => (RefFields, &[Type::Texts]),
            "digest" => (Digest, &[Type::Fixed, Type::Bytes]),
            "content" => (Content, &[Type::Fixed, Type::Bytes]),
            _ => return None,
        })
    }
}

/// The value of a slot.
pub enum Value<'a> {
    /// Nothing, where the schema allows that.
    Null,
    /// A text of valid UTF-8, or bytes.
    Bytes(&'a [u8]),
    /// A whole number.
    Long(i64),
    /// Texts.
    Texts(&'a [String]),
    /// Texts, as parts of another.
    Spans(&'a [Span], &'a [u8]),
}

enum Step {
    Constant(Vec<u8>),
    Slot { slot: Slot, kind: Type, nullable: bool },
}

/// A schema whose constant parts are already encoded.
pub struct Program(Vec<Step>);

/// One step as Python gives it: constant bytes, or none of them and a slot, its Avro type, and whether it may be null.
pub type Given = (Option<Vec<u8>>, String, String, bool);

impl Program {
    /// Takes over the steps that Python has made of a schema.
    pub fn new(given: Vec<Given>) -> PyResult<Program> {
        let mut steps = Vec::new();
        for (constant, name, kind, nullable) in given {
            if let Some(bytes) = constant {
                if let Some(Step::Constant(before)) = steps.last_mut() {
                    before.extend_from_slice(&bytes);
                } else {
                    steps.push(Step::Constant(bytes));
                }
                continue;
            }
            let unknown = || PyValueError::new_err(format!("no slot {name} of type {kind}"));
            let (slot, kinds) = Slot::named(&name).ok_or_else(unknown)?;
            let kind = match kind.as_str() {
                "string" => Type::Text,
                "long" => Type::Long,
                "array" => Type::Texts,
                "fixed" => Type::Fixed,
                "bytes" => Type::Bytes,
                _ => return Err(unknown()),
            };
            if !kinds.contains(&kind) {
                return Err(unknown());
            }
            steps.push(Step::Slot { slot, kind, nullable });
        }
        Ok(Program(steps))
    }

    /// Appends a body. `None` where a value is missing that the schema wants.
    pub fn write<'a>(&self, body: &mut Vec<u8>, fill: impl Fn(Slot) -> Value<'a>) -> Option<()> {
        for step in &self.0 {
            match step {
                Step::Constant(bytes) => body.extend_from_slice(bytes),
                Step::Slot { slot, kind, nullable } => {
                    let value = fill(*slot);
                    match (nullable, &value) {
                        (true, Value::Null) => {
                            body.push(0);
                            continue;
                        }
                        (true, _) => body.push(2),
                        (false, _) => {}
                    }
                    put(body, *kind, value)?;
                }
            }
        }
        Some(())
    }
}

fn put(body: &mut Vec<u8>, kind: Type, value: Value<'_>) -> Option<()> {
    match (kind, value) {
        (Type::Fixed, Value::Bytes(bytes)) => body.extend_from_slice(bytes),
        (Type::Text | Type::Bytes, Value::Bytes(bytes)) => sized(body, bytes),
        (Type::Long, Value::Long(number)) => long(body, number),
        (Type::Texts, Value::Texts(texts)) => block(body, texts.iter().map(|text| text.as_bytes())),
        (Type::Texts, Value::Spans(spans, text)) => block(body, spans.iter().map(|span| span.of(text))),
        _ => return None,
    }
    Some(())
}

/// An array as one block and the empty block that ends it.
fn block<'a>(body: &mut Vec<u8>, texts: impl ExactSizeIterator<Item = &'a [u8]>) {
    if texts.len() > 0 {
        long(body, texts.len() as i64);
        texts.for_each(|text| sized(body, text));
    }
    body.push(0);
}

/// A text or bytes, after their length.
pub fn sized(body: &mut Vec<u8>, bytes: &[u8]) {
    long(body, bytes.len() as i64);
    body.extend_from_slice(bytes);
}

/// Zigzag, then seven bits a byte, the lowest first.
pub fn long(body: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest > 0x7F {
        body.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    body.push(rest as u8);
}
