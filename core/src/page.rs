//! A page's members and the elements of its list of items, cut by brackets and quotes alone, as `rawjson` cuts them.

use crate::json::Span;

/// The members of an object, in their order, and the elements of the one called `list`.
pub struct Cut {
    /// Names and values, but for the list.
    pub members: Vec<(Span, Span)>,
    /// The elements of the list.
    pub elements: Vec<Span>,
}

/// A page with more members than this is not what a vendor sends.
const MANY: usize = 64;

/// Cuts a page. `None` for all that is out of the ordinary: names with escapes or such that stand twice, no list.
pub fn cut(text: &[u8], list: &[u8]) -> Option<Cut> {
    let mut at = enter(text, 0, b'{')?;
    let mut found = Cut { members: Vec::new(), elements: Vec::new() };
    let mut listed = false;
    loop {
        let (name, after) = name(text, at)?;
        at = after;
        if name.of(text) == list {
            if listed {
                return None;
            }
            listed = true;
            at = elements(text, at, &mut found.elements)?;
        } else {
            let end = skip(text, at)?;
            if found.members.len() == MANY {
                return None;
            }
            if found.members.iter().any(|(before, _)| before.of(text) == name.of(text)) {
                return None;
            }
            found.members.push((name, span(at, end)));
            at = end;
        }
        at = space(text, at);
        match text.get(at)? {
            b',' => at = space(text, at + 1),
            b'}' => break,
            _ => return None,
        }
    }
    (listed && space(text, at + 1) == text.len() && text.len() < u32::MAX as usize).then_some(found)
}

fn elements(text: &[u8], at: usize, found: &mut Vec<Span>) -> Option<usize> {
    let mut at = enter(text, at, b'[')?;
    if text.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        let end = skip(text, at)?;
        found.push(span(at, end));
        at = space(text, end);
        match text.get(at)? {
            b',' => at = space(text, at + 1),
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

fn enter(text: &[u8], at: usize, bracket: u8) -> Option<usize> {
    let at = space(text, at);
    (text.get(at) == Some(&bracket)).then(|| space(text, at + 1))
}

fn name(text: &[u8], at: usize) -> Option<(Span, usize)> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let end = string(text, at)?;
    let name = span(at + 1, end - 1);
    let odd = |byte: &u8| *byte == b'\\' || *byte < b' ';
    if name.of(text).iter().any(odd) || std::str::from_utf8(name.of(text)).is_err() {
        return None;
    }
    let colon = space(text, end);
    (text.get(colon) == Some(&b':')).then(|| (name, space(text, colon + 1)))
}

fn space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// Where the value that begins at a place ends.
fn skip(text: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => at = string(text, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            _ if depth > 0 => {
                at += 1;
                continue;
            }
            _ => return scalar(text, at),
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn scalar(text: &[u8], start: usize) -> Option<usize> {
    let ends =
        |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}');
    let length = text[start..].iter().position(ends).unwrap_or(text.len() - start);
    (length > 0).then_some(start + length)
}

/// Where the string that begins at a place ends, after its quote.
fn string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}
