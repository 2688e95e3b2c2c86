//! Items to what is known of them before the index is asked, by a vendor's description of where they say what.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::avro::{Program, Slot, Value};
use crate::canonical::{canonical, decimal, digests, Digest, DIGEST, PLAIN};
use crate::json::{parse, Document, Kind, Node, Span};
use crate::moment;

/// What stands for all locales.
const ALL_LOCALES: &str = "*";

/// How the fields of an item show what it points to.
#[derive(Clone)]
pub enum Links {
    /// Objects under the member `sys` that have a member `target`, of a `type`.
    Sys { target: Vec<u8>, kind: Vec<u8> },
    /// Objects with a `uid` and either the uid of their content type or a file name, and the nodes of rich text.
    Uid { assets: Vec<u8> },
}

/// A type of items that carry what is published.
pub struct Published {
    name: Vec<u8>,
    entity_type: Arc<str>,
    /// Whether it has a content type.
    typed: bool,
    /// Whether its fields hold links.
    linked: bool,
}

/// Where the items of a vendor say what. Paths are the names of members, from the item inwards.
pub struct Shape {
    /// The objects that paths lead through, outer ones first.
    parents: Vec<Vec<Vec<u8>>>,
    /// The item's type.
    pub kind: Vec<Vec<u8>>,
    /// The types of items that carry what is published.
    pub published: Vec<Published>,
    /// The id.
    pub id: Vec<Vec<u8>>,
    /// The locale, where an item is of one; else all.
    pub locale: Option<Vec<Vec<u8>>>,
    /// The content type.
    pub content_type: Vec<Vec<u8>>,
    /// The revision.
    pub revision: Vec<Vec<u8>>,
    /// When it changed, was created and was updated.
    pub moments: [Vec<Vec<u8>>; 3],
    /// The member that holds the fields, and whether there is no item without it.
    pub fields: (Vec<u8>, bool),
    /// How links look, and the targets that count, with the entity type of each.
    pub links: Links,
    /// What links point to: what they say, and the entity type that it stands for.
    pub targets: Vec<(Vec<u8>, String)>,
    /// The members beside the fields that are content.
    pub content: Vec<Vec<u8>>,
}

/// More links than this are compared more quickly by Python.
const MANY: usize = 500;

/// Items are digested so many at a time.
const TOGETHER: usize = 32;

/// Room to work in, used again from item to item.
#[derive(Default)]
struct Room {
    nodes: Vec<Node>,
    form: Vec<u8>,
}

/// What an item says, before it is digested.
struct Draft<'a> {
    raw: &'a [u8],
    said: Understood,
    /// Where the canonical forms of its content end, each where the next one begins.
    forms: Vec<usize>,
    /// Whether there is content beside the fields.
    several: bool,
}

/// A point in time: its text within the item, and microseconds since 1970.
pub type Moment = Option<(Span, i64)>;

/// What an item says.
pub struct Understood {
    /// Its entity type.
    pub entity_type: Arc<str>,
    /// The id.
    pub id: Span,
    /// The locale, where it is of one.
    pub locale: Option<Span>,
    /// The content type.
    pub content_type: Option<Span>,
    /// The revision.
    pub revision: Option<i64>,
    /// When it changed, was created and was updated.
    pub moments: [Moment; 3],
    /// The fields.
    pub fields: Option<Span>,
    /// Everything beside the fields, as an object.
    pub meta: Vec<u8>,
    /// What it points to.
    pub refs: Vec<String>,
    /// The member of the fields that each of these stands in first.
    pub ref_fields: Vec<Span>,
    /// The digest of the whole item.
    pub digest: Digest,
    /// The digest of its content.
    pub content: Vec<u8>,
    /// The bare key.
    pub key: Vec<u8>,
    /// The bare key for all locales, where this is of one.
    pub whole_key: Option<Vec<u8>>,
    /// The id of the event that publishes it.
    pub event_id: [u8; 2 * DIGEST],
}

impl Shape {
    /// What items say, where they are plain ones; all others are for the vendor's own reader.
    pub fn understand(&self, raws: &[&[u8]], connection: &str, key: &Program) -> Vec<Option<Understood>> {
        let mut found = Vec::with_capacity(raws.len());
        let mut room = Room::default();
        for some in raws.chunks(TOGETHER) {
            room.form.clear();
            let mut drafts: Vec<Option<Draft<'_>>> = Vec::with_capacity(TOGETHER);
            for raw in some {
                let start = room.form.len();
                drafts.push(self.draft(raw, key, &mut room));
                if let Some(None) = drafts.last() {
                    // Forms follow each other: what an item that is left to Python has written must not stand between.
                    room.form.truncate(start);
                }
            }
            digested(drafts.iter_mut().flatten(), connection, &room.form);
            found.extend(drafts.into_iter().map(|draft| draft.map(|draft| draft.said)));
        }
        found
    }

    fn draft<'a>(&self, raw: &'a [u8], key: &Program, room: &mut Room) -> Option<Draft<'a>> {
        let Room { nodes, form } = room;
        let document = parse(raw, nodes)?;
        unique(&document, 0)?;
        let kind = text(&document, document.at(&self.kind))??;
        let Published { entity_type, typed, linked, .. } =
            self.published.iter().find(|one| one.name == kind.of(raw))?;
        for path in &self.parents {
            object(&document, path)?;
        }
        let id = text(&document, document.at(&self.id))??;
        let locale = match &self.locale {
            // Where it is told otherwise, the vendor's own reader knows.
            Some(path) => Some(text(&document, document.at(path))??),
            None => None,
        };
        let content_type = if *typed { text(&document, document.at(&self.content_type))? } else { None };
        let revision = match document.at(&self.revision) {
            Some(at) if document.nodes[at].kind == Kind::Integer => Some(whole(document.written(at))?),
            _ => None,
        };
        let mut moments = [None; 3];
        for (moment, path) in moments.iter_mut().zip(&self.moments) {
            if let Some(span) = text(&document, document.at(path))? {
                *moment = Some((span, moment::micros(span.of(raw))?));
            }
        }
        let fields = document.member(0, &self.fields.0);
        if fields.is_none() && self.fields.1 {
            return None;
        }
        let forms = self.forms(&document, fields, form)?;
        let (refs, ref_fields) = match fields {
            Some(at) if *linked => self.refs(&document, at)?,
            _ => Default::default(),
        };
        let mut found = Understood {
            entity_type: entity_type.clone(),
            id,
            locale,
            whole_key: None,
            content_type,
            revision,
            moments,
            fields: fields.map(|at| document.nodes[at].span),
            meta: self.meta(&document),
            refs,
            ref_fields,
            digest: [0; DIGEST],
            content: Vec::new(),
            key: Vec::new(),
            event_id: [0; 2 * DIGEST],
        };
        found.key = found.body(raw, found.locale(raw), key)?;
        if found.locale.is_some() {
            found.whole_key = Some(found.body(raw, ALL_LOCALES.as_bytes(), key)?);
        }
        let several = forms.len() > usize::from(fields.is_some());
        Some(Draft { raw, said: found, forms, several })
    }

    fn meta(&self, document: &Document<'_>) -> Vec<u8> {
        let mut meta = Vec::with_capacity(512);
        meta.push(b'{');
        for child in document.children(0) {
            let name = document.nodes[child].name.of(document.text);
            if name == self.fields.0 {
                continue;
            }
            if meta.len() > 1 {
                meta.push(b',');
            }
            meta.push(b'"');
            meta.extend_from_slice(name);
            meta.extend_from_slice(b"\":");
            meta.extend_from_slice(document.written(child));
        }
        meta.push(b'}');
        meta
    }

    fn forms(&self, document: &Document<'_>, fields: Option<usize>, form: &mut Vec<u8>) -> Option<Vec<usize>> {
        let beside = self.content.iter().filter(|&name| *name != self.fields.0);
        let mut ends = Vec::with_capacity(1 + self.content.len());
        for at in fields.into_iter().chain(beside.filter_map(|name| document.member(0, name))) {
            canonical(document, at, form)?;
            ends.push(form.len());
        }
        Some(ends)
    }

    fn refs(&self, document: &Document<'_>, fields: usize) -> Option<(Vec<String>, Vec<Span>)> {
        let mut refs: Vec<String> = Vec::new();
        let mut ref_fields = Vec::new();
        let mut latest = 0;
        let (mut field, mut next) = (document.nodes[fields].name, fields + 1);
        // That no name stands twice in the fields is known from their canonical form.
        // An object stands in the nodes before all that is in it: the order in which they are to be found.
        for at in fields..document.nodes[fields].next as usize {
            if at == next {
                (field, next) = (document.nodes[at].name, document.nodes[at].next as usize);
            }
            if document.nodes[at].kind != Kind::Object {
                continue;
            }
            let found = match &self.links {
                Links::Sys { target, kind } => {
                    let Some(link) = document.member(at, b"sys") else { continue };
                    let Some(target) = document.member(link, target) else { continue };
                    // Text order and the order of objects agree, or the vendor's own reader decides.
                    let start = document.nodes[link].span.start;
                    if start < latest {
                        return None;
                    }
                    latest = start;
                    if at == fields {
                        field = document.nodes[link].name;
                    }
                    self.linked(document, link, target, kind)?
                }
                Links::Uid { assets } if at > fields => self.embedded(document, at, assets)?,
                Links::Uid { .. } => None,
            };
            if let Some(found) = found.filter(|found| !refs.contains(found)) {
                if refs.len() == MANY {
                    return None;
                }
                refs.push(found);
                ref_fields.push(field);
            }
        }
        Some((refs, ref_fields))
    }

    fn linked(&self, document: &Document<'_>, link: usize, target: usize, kind: &[u8]) -> Option<Option<String>> {
        let (Some(target), Some(said)) =
            (string(document, Some(target))?, string(document, document.member(link, b"type"))?)
        else {
            return Some(None);
        };
        let Some((_, entity_type)) = self.targets.iter().find(|one| one.0 == target.of(document.text)) else {
            return Some(None);
        };
        if said.of(document.text) != kind {
            return Some(None);
        }
        Some(text(document, document.member(link, b"id"))?.and_then(|id| named(document, entity_type, id)))
    }

    fn embedded(&self, document: &Document<'_>, at: usize, assets: &[u8]) -> Option<Option<String>> {
        let told = |name: &[u8]| text(document, document.member(at, name));
        if let Some(uid) = told(b"uid")? {
            if let Some(of) = document.member(at, b"_content_type_uid") {
                let asset = string(document, Some(of))?.is_some_and(|of| of.of(document.text) == assets);
                return Some(named(document, if asset { "asset" } else { "entry" }, uid));
            }
            if string(document, document.member(at, b"filename"))?.is_some() {
                return Some(named(document, "asset", uid));
            }
        }
        let (asset, entry) = (told(b"asset-uid")?, told(b"entry-uid")?);
        Some(match (asset, entry) {
            (Some(asset), _) => named(document, "asset", asset),
            (None, Some(entry)) => named(document, "entry", entry),
            (None, None) => None,
        })
    }
}

impl Understood {
    /// The locale that is part of the key.
    pub fn locale<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        self.locale.map_or(ALL_LOCALES.as_bytes(), |span| span.of(raw))
    }

    /// The bare key of the entity in a locale.
    pub fn body(&self, raw: &[u8], locale: &[u8], key: &Program) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(64);
        key.write(&mut body, |slot| match slot {
            Slot::EntityType => Value::Bytes(self.entity_type.as_bytes()),
            Slot::Id => Value::Bytes(self.id.of(raw)),
            Slot::Locale => Value::Bytes(locale),
            _ => Value::Null,
        })?;
        Some(body)
    }

    /// The CMS's time of the change in milliseconds, `now_ms` where it tells none.
    pub fn source_ms(&self, now_ms: i64) -> i64 {
        self.moments[0].map_or(now_ms, |(_, micros)| micros.div_euclid(1000))
    }

    /// The id of the event, as `connector.events.envelope.event_id` makes it.
    fn identity(&self, raw: &[u8], connection: &str, text: &mut Vec<u8>) {
        let changed_at = self.moments[0].map_or(&b""[..], |(span, _)| span.of(raw));
        let mut revision = Vec::new();
        if let Some(number) = self.revision {
            decimal(number, &mut revision);
        }
        for part in [
            connection.as_bytes(),
            self.entity_type.as_bytes(),
            self.id.of(raw),
            self.locale(raw),
            b"published",
            &revision,
            changed_at,
            b"",
        ] {
            // Lengths are in characters: every byte but those that continue one.
            decimal(part.iter().filter(|&byte| byte & 0xC0 != 0x80).count() as i64, text);
            text.push(b':');
            text.extend_from_slice(part);
        }
        text.extend_from_slice(&self.digest);
    }
}

/// Fills in the digests of drafts, whose canonical forms follow each other in `form`, and their event ids.
fn digested<'a, 'b: 'a>(drafts: impl Iterator<Item = &'a mut Draft<'b>>, connection: &str, form: &[u8]) {
    let drafts: Vec<&mut Draft<'_>> = drafts.collect();
    let raws = digests(drafts.iter().map(|draft| draft.raw), b"");
    let mut start = 0;
    let forms = drafts.iter().flat_map(|draft| &draft.forms).map(|&end| &form[std::mem::replace(&mut start, end)..end]);
    let forms: Vec<&[u8]> = forms.collect();
    let mut contents = digests(forms.into_iter(), PLAIN).into_iter();
    let mut texts = Vec::with_capacity(256 * drafts.len());
    let mut ends = Vec::with_capacity(2 * drafts.len());
    let mut drafts = drafts;
    for (draft, digest) in drafts.iter_mut().zip(raws) {
        draft.said.digest = digest;
        draft.said.content = contents.by_ref().take(draft.forms.len()).flatten().collect();
        draft.said.identity(draft.raw, connection, &mut texts);
        ends.push(texts.len());
        // Of several parts the digests are digested once more; a single one stands for itself.
        texts.extend_from_slice(&draft.said.content);
        ends.push(texts.len());
    }
    let mut start = 0;
    let parts: Vec<&[u8]> = ends.iter().map(|&end| &texts[std::mem::replace(&mut start, end)..end]).collect();
    let found = digests(parts.into_iter(), b"");
    for (draft, pair) in drafts.iter_mut().zip(found.chunks_exact(2)) {
        draft.said.event_id = hex(&pair[0]);
        if draft.several {
            draft.said.content = pair[1].to_vec();
        }
    }
}

fn hex(digest: &Digest) -> [u8; 2 * DIGEST] {
    const DIGITS: &[u8] = b"0123456789abcdef";
    let mut found = [0; 2 * DIGEST];
    for (pair, byte) in found.chunks_exact_mut(2).zip(digest) {
        (pair[0], pair[1]) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
    }
    found
}

fn named(document: &Document<'_>, entity_type: &str, id: Span) -> Option<String> {
    Some(format!("{entity_type}:{}", std::str::from_utf8(id.of(document.text)).ok()?))
}

/// The inside of a string; outer `None` where it has escapes, inner `None` where there is no string.
fn string(document: &Document<'_>, at: Option<usize>) -> Option<Option<Span>> {
    match at.map(|at| &document.nodes[at]) {
        Some(node) if node.kind == Kind::Plain => Some(Some(node.inside())),
        Some(node) if node.kind == Kind::Escaped => None,
        _ => Some(None),
    }
}

/// As `string`, of texts that keys and columns carry: an empty one is none.
fn text(document: &Document<'_>, at: Option<usize>) -> Option<Option<Span>> {
    Some(string(document, at)?.filter(|span| span.end > span.start))
}

fn whole(digits: &[u8]) -> Option<i64> {
    (digits != b"-0").then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// `None` where a name stands twice among the members of the value at a place.
pub fn unique(document: &Document<'_>, at: usize) -> Option<()> {
    if document.nodes[at].kind != Kind::Object {
        return Some(());
    }
    document.sorted(at, |_| Some(()))
}

/// `None` where a path leads to something else than an object, or to one in which a name stands twice.
fn object(document: &Document<'_>, path: &[Vec<u8>]) -> Option<()> {
    match document.at(path) {
        Some(at) if document.nodes[at].kind != Kind::Object => None,
        Some(at) => unique(document, at),
        None => Some(()),
    }
}

/// Where a vendor's items say what, as Python describes it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Described {
    kind: Vec<String>,
    published: Vec<(String, String, bool, bool)>,
    id: Vec<String>,
    locale: Vec<String>,
    content_type: Vec<String>,
    revision: Vec<String>,
    changed_at: Vec<String>,
    created_at: Vec<String>,
    updated_at: Vec<String>,
    fields: String,
    fields_needed: bool,
    links: String,
    link_type: String,
    targets: Vec<(String, String)>,
    content: Vec<String>,
}

impl Described {
    /// The shape that is described.
    pub fn shape(self) -> Shape {
        let path = |names: Vec<String>| names.into_iter().map(String::into_bytes).collect::<Vec<_>>();
        let mut parents: Vec<Vec<Vec<u8>>> = Vec::new();
        for whole in [
            &self.kind,
            &self.id,
            &self.locale,
            &self.content_type,
            &self.revision,
            &self.changed_at,
            &self.created_at,
            &self.updated_at,
        ] {
            for length in 1..whole.len() {
                let parent = path(whole[..length].to_vec());
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
        }
        Shape {
            parents,
            kind: path(self.kind),
            published: self
                .published
                .into_iter()
                .map(|(name, of, typed, linked)| Published {
                    name: name.into_bytes(),
                    entity_type: of.into(),
                    typed,
                    linked,
                })
                .collect(),
            id: path(self.id),
            locale: (!self.locale.is_empty()).then(|| path(self.locale)),
            content_type: path(self.content_type),
            revision: path(self.revision),
            moments: [path(self.changed_at), path(self.created_at), path(self.updated_at)],
            fields: (self.fields.into_bytes(), self.fields_needed),
            links: match self.links.as_str() {
                "uid" => Links::Uid { assets: self.link_type.into_bytes() },
                _ => Links::Sys { target: self.links.into_bytes(), kind: self.link_type.into_bytes() },
            },
            targets: self.targets.into_iter().map(|(said, of)| (said.into_bytes(), of)).collect(),
            content: path(self.content),
        }
    }
}
