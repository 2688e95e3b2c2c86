//! Rows of typed tables, of fields whose values are what the content model says, plainly.
//!
//! The twin of `connector/tables/rows.py`, which is left every item that has anything else in it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::avro::{long, sized};
use crate::json::{code, parse, Document, Kind};
use crate::moment::micros;
use crate::shape::unique;

/// Numbers of more characters may be others as doubles.
const SAFE: usize = 15;

#[derive(Clone, Copy)]
enum FieldKind {
    Text,
    Integer,
    Number,
    Boolean,
    Date,
    Location,
    Link,
    Links,
    Texts,
    Json,
}

impl FieldKind {
    fn named(name: &str) -> Option<FieldKind> {
        use FieldKind::*;
        Some(match name {
            "text" => Text,
            "integer" => Integer,
            "number" => Number,
            "boolean" => Boolean,
            "date" => Date,
            "location" => Location,
            "link" => Link,
            "links" => Links,
            "texts" => Texts,
            "json" => Json,
            _ => return None,
        })
    }
}

/// Where the values of a field go: a slot of the row. `locales` are those whose value it may be, the first that has one
/// counts; none of them for the only locale there is, `None` for the row's own.
struct Place {
    slot: usize,
    locales: Option<Vec<Vec<u8>>>,
}

struct Source {
    kind: FieldKind,
    places: Vec<Place>,
}

/// A field as Python describes it: the member that holds its values, its kind, and where they go.
type Given = (String, String, Vec<(usize, Option<Vec<String>>)>);

/// Writes the rows of one table.
#[pyclass(frozen)]
pub struct Rows {
    members: HashMap<Vec<u8>, usize>,
    sources: Vec<Source>,
    /// The slots of a row that hold nothing.
    nulls: Vec<Vec<u8>>,
}

/// The values of one field: their locales, and where they stand.
type ByLocale<'a> = Vec<(&'a [u8], usize)>;

#[pymethods]
impl Rows {
    #[new]
    fn new(given: Vec<Given>, nulls: Vec<Vec<u8>>) -> PyResult<Rows> {
        let mut made = Rows { members: HashMap::new(), sources: Vec::new(), nulls };
        for (member, kind, places) in given {
            let bytes = |locales: Vec<String>| locales.into_iter().map(String::into_bytes).collect();
            let places: Vec<Place> =
                places.into_iter().map(|(slot, locales)| Place { slot, locales: locales.map(bytes) }).collect();
            let kind = FieldKind::named(&kind)
                .filter(|_| places.iter().all(|place| place.slot < made.nulls.len()))
                .ok_or_else(|| PyValueError::new_err(format!("no fields of kind {kind} are written here")))?;
            made.members.insert(member.into_bytes(), made.sources.len());
            made.sources.push(Source { kind, places });
        }
        Ok(made)
    }

    /// Return the locale and the value of each row of an item's fields, None for an item that is for Python.
    ///
    /// `flat`: the locale that all fields are of; else each holds a map of locales. `delivered`: the locales that have a
    /// row; else those that any field has, and `otherwise` if none has any. A value ends with `around` the locale.
    fn write<'a>(
        &self,
        py: Python<'a>,
        fields: &[u8],
        flat: Option<&str>,
        delivered: Option<Vec<String>>,
        otherwise: &str,
        around: (&[u8], &[u8]),
    ) -> Option<Vec<(Bound<'a, PyString>, Bound<'a, PyBytes>)>> {
        let mut nodes = Vec::new();
        let document = parse(fields, &mut nodes)?;
        let maps = self.maps(&document, flat.map(str::as_bytes))?;
        let mut row = Row { cells: vec![None; self.nulls.len()], bytes: Vec::new() };
        self.fill_shared(&document, &maps, &mut row)?;
        let named = || {
            let mut found: Vec<&[u8]> = Vec::new();
            for (locale, _) in maps.iter().flatten() {
                if !found.contains(locale) {
                    found.push(locale);
                }
            }
            if found.is_empty() {
                found.push(otherwise.as_bytes());
            }
            found
        };
        let delivered = match &delivered {
            Some(locales) => locales.iter().map(String::as_bytes).collect(),
            None => named(),
        };
        let (shared, end) = (row.cells.clone(), row.bytes.len());
        let mut found = Vec::with_capacity(delivered.len());
        let mut value = Vec::new();
        for locale in delivered {
            row.cells.clone_from(&shared);
            row.bytes.truncate(end);
            self.fill_own(&document, &maps, locale, &mut row)?;
            value.clear();
            for (cell, null) in row.cells.iter().zip(&self.nulls) {
                value.extend_from_slice(cell.as_ref().map_or(&null[..], |cell| &row.bytes[cell.clone()]));
            }
            value.extend_from_slice(around.0);
            sized(&mut value, locale);
            value.extend_from_slice(around.1);
            found.push((PyString::from_bytes(py, locale).ok()?, PyBytes::new(py, &value)));
        }
        Some(found)
    }
}

/// A row in the making: where each slot's bytes are, `None` for one that holds nothing.
struct Row {
    cells: Vec<Option<Range<usize>>>,
    bytes: Vec<u8>,
}

impl Row {
    /// Writes a value into a slot; returns whether it is one. `None` where Python has to look at it.
    fn put(&mut self, document: &Document<'_>, at: usize, kind: FieldKind, slot: usize) -> Option<bool> {
        let start = self.bytes.len();
        let written = put(document, at, kind, &mut self.bytes)?;
        if written {
            self.cells[slot] = Some(start..self.bytes.len());
        }
        Some(written)
    }
}

impl Rows {
    /// The values of each field.
    fn maps<'a>(&self, document: &Document<'a>, flat: Option<&'a [u8]>) -> Option<Vec<ByLocale<'a>>> {
        let mut maps = vec![Vec::new(); self.sources.len()];
        if document.nodes[0].kind != Kind::Object {
            return None;
        }
        unique(document, 0)?;
        for member in document.children(0) {
            let Some(&source) = self.members.get(document.name(member)) else {
                // What the model lacks has to be asked for, where it can be told from what is no field at all.
                flat?;
                continue;
            };
            if let Some(locale) = flat {
                maps[source].push((locale, member));
            } else if document.nodes[member].kind == Kind::Object {
                unique(document, member)?;
                maps[source].extend(document.children(member).map(|value| (document.name(value), value)));
            } else if document.written(member) != b"null" {
                return None;
            }
        }
        Some(maps)
    }

    fn fill_shared(&self, document: &Document<'_>, maps: &[ByLocale<'_>], row: &mut Row) -> Option<()> {
        for (source, by_locale) in self.sources.iter().zip(maps) {
            for place in &source.places {
                let Some(locales) = &place.locales else { continue };
                let found: &mut dyn Iterator<Item = usize> = if locales.is_empty() {
                    &mut by_locale.iter().filter(|_| by_locale.len() == 1).map(|(_, at)| *at)
                } else {
                    &mut locales.iter().filter_map(|locale| of(by_locale, locale))
                };
                for at in found {
                    if row.put(document, at, source.kind, place.slot)? {
                        break;
                    }
                }
            }
        }
        Some(())
    }

    fn fill_own(&self, document: &Document<'_>, maps: &[ByLocale<'_>], locale: &[u8], row: &mut Row) -> Option<()> {
        for (source, by_locale) in self.sources.iter().zip(maps) {
            for place in source.places.iter().filter(|place| place.locales.is_none()) {
                if let Some(at) = of(by_locale, locale) {
                    row.put(document, at, source.kind, place.slot)?;
                }
            }
        }
        Some(())
    }
}

fn of(by_locale: &ByLocale<'_>, locale: &[u8]) -> Option<usize> {
    by_locale.iter().find(|(of, _)| *of == locale).map(|(_, at)| *at)
}

/// Appends the columns of a value; returns whether it is one. `None` for what is not plainly of its kind.
fn put(document: &Document<'_>, at: usize, kind: FieldKind, bytes: &mut Vec<u8>) -> Option<bool> {
    let written = document.written(at);
    if written == b"null" {
        return Some(false);
    }
    match kind {
        FieldKind::Text => some(bytes, &text(document, at)?),
        FieldKind::Json => some(bytes, written),
        FieldKind::Integer => {
            let plain = document.nodes[at].kind == Kind::Integer && written.len() <= SAFE;
            bytes.push(2);
            long(bytes, plain.then(|| std::str::from_utf8(written).ok()?.parse().ok())??);
        }
        FieldKind::Number => {
            double(bytes, document, at)?;
            bytes.push(0);
        }
        FieldKind::Boolean => match written {
            b"true" => bytes.extend_from_slice(&[2, 1]),
            b"false" => bytes.extend_from_slice(&[2, 0]),
            _ => return None,
        },
        FieldKind::Date => {
            let text = text(document, at)?;
            bytes.push(2);
            long(bytes, micros(&text)?.div_euclid(1000));
            some(bytes, &text);
        }
        FieldKind::Location => {
            unique(document, at)?;
            for names in [["lat", "latitude"], ["lon", "longitude"]] {
                let degrees = names.iter().find_map(|name| document.member(at, name.as_bytes()))?;
                double(bytes, document, degrees)?;
            }
        }
        FieldKind::Link => {
            let id = link(document, at)?;
            if id.is_empty() {
                return Some(false);
            }
            some(bytes, &id);
        }
        FieldKind::Links => texts(bytes, document, at, |each| link(document, each).filter(|id| !id.is_empty()))?,
        FieldKind::Texts => texts(bytes, document, at, |each| text(document, each))?,
    }
    Some(true)
}

fn some(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.push(2);
    sized(bytes, text);
}

/// An array of texts, one for each element.
fn texts<'a>(
    bytes: &mut Vec<u8>,
    document: &Document<'a>,
    at: usize,
    each: impl Fn(usize) -> Option<Cow<'a, [u8]>>,
) -> Option<()> {
    if document.nodes[at].kind != Kind::Array {
        return None;
    }
    bytes.push(2);
    let count = document.children(at).count();
    if count > 0 {
        long(bytes, count as i64);
        for element in document.children(at) {
            sized(bytes, &each(element)?);
        }
    }
    bytes.push(0);
    Some(())
}

/// A number that is the same as a double.
fn double(bytes: &mut Vec<u8>, document: &Document<'_>, at: usize) -> Option<()> {
    let written = document.written(at);
    let number = matches!(document.nodes[at].kind, Kind::Integer | Kind::Fraction);
    if !number || written.len() > SAFE || written.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return None;
    }
    let number: f64 = std::str::from_utf8(written).ok()?.parse().ok()?;
    bytes.push(2);
    bytes.extend_from_slice(&number.to_le_bytes());
    Some(())
}

/// What a link names: itself, where it is a text; else the id in its `sys`, or its `uid`.
fn link<'a>(document: &Document<'a>, at: usize) -> Option<Cow<'a, [u8]>> {
    if document.nodes[at].kind != Kind::Object {
        return text(document, at);
    }
    unique(document, at)?;
    let uid = document.member(at, b"uid");
    let id = match document.member(at, b"sys") {
        None => uid?,
        Some(sys) => {
            unique(document, sys)?;
            if uid.or(document.member(sys, b"urn")).is_some() {
                return None;
            }
            document.member(sys, b"id")?
        }
    };
    text(document, id).filter(|id| !id.is_empty())
}

/// A text, without a NUL.
fn text<'a>(document: &Document<'a>, at: usize) -> Option<Cow<'a, [u8]>> {
    let node = &document.nodes[at];
    let inside = node.inside();
    match node.kind {
        Kind::Plain => Some(Cow::Borrowed(inside.of(document.text))),
        Kind::Escaped => unescaped(inside.of(document.text)).map(Cow::Owned),
        _ => None,
    }
}

fn unescaped(inside: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(inside.len());
    let mut at = 0;
    while at < inside.len() {
        let byte = inside[at];
        if byte != b'\\' {
            found.push(byte);
            at += 1;
            continue;
        }
        let escaped = *inside.get(at + 1)?;
        at += 2;
        found.push(match escaped {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = char::from_u32(code(inside, at)?).filter(|&it| it != '\0')?;
                found.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += 4;
                continue;
            }
            other => other,
        });
    }
    Some(found)
}
