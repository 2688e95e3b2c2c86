//! JSON as nodes over its text: strict, without copies, and for plain documents alone.
//!
//! `None` stands for every text that is not read here: what is no JSON, and what is JSON but out of the ordinary (names
//! with escapes, lone surrogates, deep nesting). The Python reader decides about all of those.

/// Deeper nesting than this is left to the Python reader.
const MAX_DEPTH: usize = 100;
/// So are documents of more values than this: they would take many times their own size.
const MAX_NODES: usize = 200_000;

/// A part of the text, from its first byte to the one after its last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The bytes of `text` that this covers.
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `null`, `true` or `false`.
    Word,
    /// A number without fraction and exponent.
    Integer,
    /// Any other number.
    Fraction,
    /// A string without escapes.
    Plain,
    /// A string with escapes, each of them one that JSON allows.
    Escaped,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// One value. A value's members or elements follow it, up to `next`.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its name without quotes where it is a member of an object, else nothing.
    pub name: Span,
    /// The whole value, with quotes and brackets.
    pub span: Span,
    /// The first node that is not within this one.
    pub next: u32,
}

impl Node {
    /// The inside of a string.
    pub fn inside(&self) -> Span {
        Span { start: self.span.start + 1, end: self.span.end - 1 }
    }
}

/// A text and its values, outer ones first, in order of appearance.
pub struct Document<'a> {
    /// The text.
    pub text: &'a [u8],
    /// The values.
    pub nodes: &'a [Node],
}

/// Objects of up to so many members are sorted without asking for memory.
const FEW: usize = 32;

const NOWHERE: Span = Span { start: 0, end: 0 };

/// Reads a whole text; `nodes` are those of an earlier document, whose room is used again.
pub fn parse<'a>(text: &'a [u8], nodes: &'a mut Vec<Node>) -> Option<Document<'a>> {
    if text.len() >= u32::MAX as usize {
        return None;
    }
    std::str::from_utf8(text).ok()?;
    nodes.clear();
    let mut parser = Parser { text, at: 0, nodes };
    parser.space();
    parser.value(NOWHERE, 0)?;
    parser.space();
    let whole = parser.at == text.len();
    whole.then_some(Document { text, nodes })
}

impl<'a> Document<'a> {
    /// The places of the members or elements of the value at `of`.
    pub fn children(&self, of: usize) -> Children<'_> {
        Children { nodes: self.nodes, at: of + 1, end: self.nodes[of].next as usize }
    }

    /// The place of the member `name` of the value at `of`, where that is an object that has one.
    pub fn member(&self, of: usize, name: &[u8]) -> Option<usize> {
        if self.nodes[of].kind != Kind::Object {
            return None;
        }
        self.children(of).find(|&at| self.nodes[at].name.of(self.text) == name)
    }

    /// The place that a path of names leads to.
    pub fn at(&self, path: &[Vec<u8>]) -> Option<usize> {
        path.iter().try_fold(0, |of, name| self.member(of, name))
    }

    /// The name of a member.
    pub fn name(&self, at: usize) -> &'a [u8] {
        self.nodes[at].name.of(self.text)
    }

    /// The members of an object in the order of their names; `None` where a name stands twice.
    pub fn sorted(&self, of: usize, use_of: impl FnOnce(&[u32]) -> Option<()>) -> Option<()> {
        let mut few = [0; FEW];
        let mut many = Vec::new();
        let mut count = 0;
        for child in self.children(of) {
            if count < FEW {
                few[count] = child as u32;
            } else {
                if many.is_empty() {
                    many.extend_from_slice(&few);
                }
                many.push(child as u32);
            }
            count += 1;
        }
        let places = if many.is_empty() { &mut few[..count] } else { &mut many[..] };
        let name = |at: &u32| self.name(*at as usize);
        places.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        if places.windows(2).any(|pair| name(&pair[0]) == name(&pair[1])) {
            return None;
        }
        use_of(places)
    }

    /// The bytes of a value, with quotes and brackets.
    pub fn written(&self, at: usize) -> &'a [u8] {
        self.nodes[at].span.of(self.text)
    }
}

/// The places of a value's members or elements.
pub struct Children<'a> {
    nodes: &'a [Node],
    at: usize,
    end: usize,
}

impl Iterator for Children<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.at;
        (at < self.end).then(|| {
            self.at = self.nodes[at].next as usize;
            at
        })
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    nodes: &'a mut Vec<Node>,
}

impl Parser<'_> {
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn value(&mut self, name: Span, depth: usize) -> Option<()> {
        let start = self.at;
        let place = self.nodes.len();
        if place == MAX_NODES {
            return None;
        }
        self.nodes.push(Node { kind: Kind::Word, name, span: NOWHERE, next: 0 });
        let kind = match self.text.get(start)? {
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            b'n' => self.word(b"null")?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            _ => return None,
        };
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[place];
        (node.kind, node.next) = (kind, next);
        node.span = Span { start: start as u32, end: self.at as u32 };
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<Kind> {
        self.enter(depth)?;
        if self.ends(b'}') {
            return Some(Kind::Object);
        }
        loop {
            let start = self.at;
            if self.text.get(start) != Some(&b'"') || self.string()? != Kind::Plain {
                return None;
            }
            let name = Span { start: start as u32 + 1, end: self.at as u32 - 1 };
            self.space();
            self.take(b':')?;
            self.space();
            self.value(name, depth + 1)?;
            self.space();
            if self.ends(b'}') {
                return Some(Kind::Object);
            }
            self.take(b',')?;
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Option<Kind> {
        self.enter(depth)?;
        if self.ends(b']') {
            return Some(Kind::Array);
        }
        loop {
            self.value(NOWHERE, depth + 1)?;
            self.space();
            if self.ends(b']') {
                return Some(Kind::Array);
            }
            self.take(b',')?;
            self.space();
        }
    }

    fn enter(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        self.space();
        (depth < MAX_DEPTH).then_some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.ends(byte).then_some(())
    }

    fn ends(&mut self, byte: u8) -> bool {
        let there = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &[u8]) -> Option<Kind> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            Kind::Word
        })
    }

    fn string(&mut self) -> Option<Kind> {
        self.at += 1;
        let mut kind = Kind::Plain;
        loop {
            self.at = special(self.text, self.at);
            match self.text.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(kind);
                }
                b'\\' => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.at += match self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                char::from_u32(code(self.text, self.at + 2)?)?;
                6
            }
            _ => return None,
        };
        Some(())
    }

    fn number(&mut self) -> Option<Kind> {
        self.ends(b'-');
        let first = *self.text.get(self.at)?;
        if self.digits()? > 1 && first == b'0' {
            return None;
        }
        let mut kind = Kind::Integer;
        if self.ends(b'.') {
            kind = Kind::Fraction;
            self.digits()?;
        }
        if self.ends(b'e') || self.ends(b'E') {
            kind = Kind::Fraction;
            let _ = self.ends(b'-') || self.ends(b'+');
            self.digits()?;
        }
        Some(kind)
    }

    fn digits(&mut self) -> Option<usize> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        (self.at > start).then_some(self.at - start)
    }
}

/// The code unit that four hexadecimal digits at a place stand for.
pub fn code(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..at + 4)?.iter().try_fold(0, |sum, &digit| Some(sum << 4 | (digit as char).to_digit(16)?))
}

/// The first place from `at` on that holds a quote, a backslash or a control character; the end where none does.
fn special(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // Eight bytes at a time; the lowest hit is exact, whatever is borrowed above it.
    let below = |word: u64, than: u64| word.wrapping_sub(ONES * than) & !word & HIGHS;
    while let Some(chunk) = text.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let hits = quote | backslash | below(word, 0x20);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while at < text.len() && !matches!(text[at], b'"' | b'\\' | 0..=0x1F) {
        at += 1;
    }
    at
}
