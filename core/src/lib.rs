//! The compiled part of contentwire's delivery path. Every function has a twin in Python, which decides what is right:
//! what is not plain is left to it (`None`), and a property holds that both give the same bytes for everything else.

mod avro;
mod canonical;
mod json;
mod moment;
mod page;
mod row;
mod shape;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::avro::{Given, Program, Slot, Value};
use crate::json::Span;
use crate::shape::{Described, Moment, Shape, Understood};

/// What Python asks for by number: another one for each change of a call or of an answer.
const INTERFACE: u32 = 5;

/// Reads the items of one connection's pages.
#[pyclass(frozen)]
struct Reader {
    shape: Shape,
    connection: String,
    key: Program,
}

#[pymethods]
impl Reader {
    #[new]
    fn new(connection: String, described: Described, key: Vec<Given>) -> PyResult<Reader> {
        Ok(Reader { shape: described.shape(), connection, key: Program::new(key)? })
    }

    /// Return what each raw item says, None for those that the vendor's own reader has to look at.
    fn read(&self, py: Python<'_>, raws: Vec<Py<PyBytes>>) -> PyResult<Vec<Option<Item>>> {
        let texts: Vec<&[u8]> = raws.iter().map(|raw| raw.as_bytes(py)).collect();
        let understood = py.detach(|| self.shape.understand(&texts, &self.connection, &self.key));
        Ok(raws.into_iter().zip(understood).map(|(raw, item)| item.map(|said| Item { raw, said })).collect())
    }
}

/// A published state, read but not yet looked up: what its vendor's `Change` says, and the key that it is known by.
#[pyclass(frozen)]
struct Item {
    raw: Py<PyBytes>,
    said: Understood,
}

impl Item {
    fn text<'a>(&self, py: Python<'a>, span: Option<Span>) -> PyResult<Option<Bound<'a, PyString>>> {
        span.map(|span| PyString::from_bytes(py, span.of(self.raw.as_bytes(py)))).transpose()
    }
}

#[pymethods]
impl Item {
    /// The whole item.
    #[getter]
    fn raw(&self, py: Python<'_>) -> Py<PyBytes> {
        self.raw.clone_ref(py)
    }

    /// The bare Avro body of its key.
    #[getter]
    fn body<'a>(&self, py: Python<'a>) -> Bound<'a, PyBytes> {
        PyBytes::new(py, &self.said.key)
    }

    /// The same for all locales, where it is of one; else None.
    #[getter]
    fn whole_body<'a>(&self, py: Python<'a>) -> Option<Bound<'a, PyBytes>> {
        self.said.whole_key.as_ref().map(|key| PyBytes::new(py, key))
    }

    /// The kind of entity.
    #[getter]
    fn entity_type(&self) -> &str {
        &self.said.entity_type
    }

    /// The id of the entity.
    #[getter]
    fn id<'a>(&self, py: Python<'a>) -> PyResult<Option<Bound<'a, PyString>>> {
        self.text(py, Some(self.said.id))
    }

    /// The locale, `*` for all.
    #[getter]
    fn locale<'a>(&self, py: Python<'a>) -> PyResult<Bound<'a, PyString>> {
        PyString::from_bytes(py, self.said.locale(self.raw.as_bytes(py)))
    }

    /// The content type.
    #[getter]
    fn content_type<'a>(&self, py: Python<'a>) -> PyResult<Option<Bound<'a, PyString>>> {
        self.text(py, self.said.content_type)
    }

    /// The members of a `Change`: digest, revision, the moments as text and microseconds, fields, meta, refs and their fields.
    fn members<'a>(&self, py: Python<'a>) -> PyResult<Bound<'a, PyDict>> {
        let raw = self.raw.as_bytes(py);
        let moment = |moment: Moment| -> PyResult<Option<(Bound<'a, PyString>, i64)>> {
            moment.map(|(span, micros)| Ok((PyString::from_bytes(py, span.of(raw))?, micros))).transpose()
        };
        let found = PyDict::new(py);
        found.set_item("digest", PyBytes::new(py, &self.said.digest))?;
        found.set_item("revision", self.said.revision)?;
        for (name, at) in ["changed_at", "created_at", "updated_at"].into_iter().zip(self.said.moments) {
            found.set_item(name, moment(at)?)?;
        }
        found.set_item("fields", self.said.fields.map(|span| PyBytes::new(py, span.of(raw))))?;
        found.set_item("meta", PyBytes::new(py, &self.said.meta))?;
        found.set_item("refs", PyTuple::new(py, &self.said.refs)?)?;
        let fields: Vec<_> =
            self.said.ref_fields.iter().map(|name| PyString::from_bytes(py, name.of(raw))).collect::<PyResult<_>>()?;
        found.set_item("ref_fields", PyTuple::new(py, fields)?)?;
        Ok(found)
    }
}

/// Writes the records of events that publish an item of which nothing was known before.
#[pyclass(frozen)]
struct Writer {
    value: Program,
    entry: Program,
    tables: Vec<(String, String)>,
    unknown_table: String,
    /// The headers that are the same for every event, in their order, and the names of the others.
    constant: Vec<Py<PyTuple>>,
    names: [Py<PyString>; 3],
    record: Py<PyAny>,
}

/// What a stream says of each of its events.
struct Place {
    sequence: i64,
    now_ms: i64,
    epoch: i64,
}

#[pymethods]
impl Writer {
    /// `headers`: those that are the same for every event, by name, and the name of the others with None, in order.
    #[new]
    fn new(
        py: Python<'_>,
        value: Vec<Given>,
        entry: Vec<Given>,
        tables: Vec<(String, String)>,
        unknown_table: String,
        headers: Vec<(String, Option<Vec<u8>>)>,
        record: Py<PyAny>,
    ) -> PyResult<Writer> {
        let constant: Vec<Bound<'_, PyTuple>> = headers
            .iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| (name, value)))
            .map(|(name, value)| {
                PyTuple::new(py, [PyString::new(py, name).into_any(), PyBytes::new(py, value).into_any()])
            })
            .collect::<PyResult<_>>()?;
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "content-type"];
        let given: Vec<bool> = headers.iter().map(|(_, value)| value.is_some()).collect();
        if names != expected || given != [true, false, true, true, false, false, true] {
            return Err(pyo3::exceptions::PyValueError::new_err("these are not the headers that are written here"));
        }
        Ok(Writer {
            value: Program::new(value)?,
            entry: Program::new(entry)?,
            tables,
            unknown_table,
            constant: constant.into_iter().map(Bound::unbind).collect(),
            names: ["ce_id", "ce_subject", "ce_time"].map(|name| PyString::new(py, name).unbind()),
            record,
        })
    }

    /// Publish the items of a page from a place on, and at most so many, up to the first that is for Python.
    ///
    /// Return their records, and how many bytes the keys and values of these are. `index` is what is committed or sent,
    /// and what is staged; `routes` say where items go, by entity type and locale; `place` is the sequence so far, our
    /// time in milliseconds and the epoch; `longest` is how many bytes a key and a value may have.
    fn publish<'a>(
        &self,
        py: Python<'a>,
        page: (Bound<'a, PyTuple>, usize, usize),
        index: (Vec<Bound<'a, PyDict>>, Bound<'a, PyDict>),
        routes: &Bound<'a, PyDict>,
        place: (i64, i64, i64),
        longest: usize,
    ) -> PyResult<(Bound<'a, PyList>, usize)> {
        let (known, staged) = &index;
        let (changes, at, most) = &page;
        let (mut sequence, now_ms, epoch) = place;
        let records = PyList::empty(py);
        let (mut value, mut entry, mut key) = (Vec::new(), Vec::new(), Vec::new());
        let mut size = 0;
        for change in changes.iter().skip(*at).take(*most) {
            let Ok(item) = change.cast::<Item>() else { break };
            let item = item.get();
            let (said, raw) = (&item.said, item.raw.as_bytes(py));
            let body = PyBytes::new(py, &said.key);
            if is_known(&body, known, staged)? {
                break;
            }
            match &said.whole_key {
                Some(whole) if is_known(&PyBytes::new(py, whole), known, staged)? => break,
                _ => {}
            }
            let to = (said.entity_type.as_ref(), PyString::from_bytes(py, said.locale(raw))?);
            let Some(route) = routes.get_item(to)? else { break };
            let route = route.cast::<Route>()?.get();
            let place = Place { sequence: sequence + 1, now_ms, epoch };
            let fill = |slot| self.fill(slot, said, raw, &place);
            value.clear();
            value.extend_from_slice(&route.value);
            entry.clear();
            if self.value.write(&mut value, fill).is_none() || self.entry.write(&mut entry, fill).is_none() {
                break;
            }
            key.clear();
            key.extend_from_slice(&route.key);
            key.extend_from_slice(&said.key);
            if key.len() + value.len() > longest {
                break;
            }
            let headers = self.headers(py, item, &place)?;
            let record = self.record.bind(py).call1((&route.topic, &key[..], &value[..], headers))?;
            records.append(record)?;
            staged.set_item(body, &entry[..])?;
            size += key.len() + value.len();
            sequence += 1;
        }
        Ok((records, size))
    }
}

fn is_known(body: &Bound<'_, PyBytes>, known: &[Bound<'_, PyDict>], staged: &Bound<'_, PyDict>) -> PyResult<bool> {
    for records in known {
        if records.contains(body)? {
            return Ok(true);
        }
    }
    staged.contains(body)
}

/// Where records go, and how their keys and values begin.
#[pyclass(frozen)]
struct Route {
    topic: Py<PyString>,
    key: Vec<u8>,
    value: Vec<u8>,
}

#[pymethods]
impl Route {
    #[new]
    fn new(topic: Py<PyString>, key: Vec<u8>, value: Vec<u8>) -> Route {
        Route { topic, key, value }
    }
}

impl Writer {
    fn headers<'a>(&self, py: Python<'a>, item: &Item, place: &Place) -> PyResult<Bound<'a, PyList>> {
        let (said, raw) = (&item.said, item.raw.as_bytes(py));
        let subject = [said.entity_type.as_bytes(), said.id.of(raw), said.locale(raw)].join(&b'/');
        let changed = said.moments[0].map(|(span, _)| span.of(raw)).filter(|text| text.len() == 24);
        let time = match changed {
            Some(text) => PyBytes::new(py, text),
            None => PyBytes::new(py, moment::written(said.source_ms(place.now_ms)).as_bytes()),
        };
        let header = |name: usize, value: Bound<'a, PyBytes>| {
            PyTuple::new(py, [self.names[name].bind(py).clone().into_any(), value.into_any()])
        };
        let constant = |at: usize| self.constant[at].bind(py).clone();
        PyList::new(
            py,
            [
                constant(0),
                header(0, PyBytes::new(py, &said.event_id))?,
                constant(1),
                constant(2),
                header(1, PyBytes::new(py, &subject))?,
                header(2, time)?,
                constant(3),
            ],
        )
    }

    fn fill<'a>(&'a self, slot: Slot, said: &'a Understood, raw: &'a [u8], place: &Place) -> Value<'a> {
        let text = |span: Option<Span>| span.map_or(Value::Null, |span| Value::Bytes(span.of(raw)));
        let millis = |moment: Moment| moment.map_or(Value::Null, |(_, micros)| Value::Long(micros.div_euclid(1000)));
        match slot {
            Slot::EntityType => Value::Bytes(said.entity_type.as_bytes()),
            Slot::Id => text(Some(said.id)),
            Slot::Locale => Value::Bytes(said.locale(raw)),
            Slot::ContentType => text(said.content_type),
            Slot::Fields => text(said.fields),
            Slot::Meta => Value::Bytes(&said.meta),
            Slot::Table => match self.tables.iter().find(|(of, _)| **of == *said.entity_type) {
                Some((_, table)) => Value::Bytes(table.as_bytes()),
                None => Value::Bytes(said.content_type.map_or(self.unknown_table.as_bytes(), |span| span.of(raw))),
            },
            Slot::EventId => Value::Bytes(&said.event_id),
            Slot::Revision => said.revision.map_or(Value::Null, Value::Long),
            Slot::CreatedMs => millis(said.moments[1]),
            Slot::UpdatedMs => millis(said.moments[2]),
            Slot::SourceMs => Value::Long(said.source_ms(place.now_ms)),
            Slot::Sequence => Value::Long(place.sequence),
            Slot::NowMs => Value::Long(place.now_ms),
            Slot::ChangedAt => said.moments[0].map_or(Value::Null, |(_, micros)| Value::Long(micros)),
            Slot::Epoch => Value::Long(place.epoch),
            Slot::Refs => Value::Texts(&said.refs),
            Slot::RefFields => Value::Spans(&said.ref_fields, raw),
            Slot::Digest => Value::Bytes(&said.digest),
            Slot::Content => Value::Bytes(&said.content),
        }
    }
}

/// Counts deliveries: what Python is called for once a record otherwise.
///
/// It is a delivery callback. A delivery counts if it has an offset; what has not, or failed, is kept as it was reported.
#[pyclass]
#[derive(Default)]
struct Deliveries {
    lowest: Option<i64>,
    highest: Option<i64>,
    failures: Vec<Py<PyAny>>,
}

#[pymethods]
impl Deliveries {
    #[new]
    fn new() -> Deliveries {
        Deliveries::default()
    }

    fn __call__(&mut self, error: Bound<'_, PyAny>, message: Bound<'_, PyAny>) -> PyResult<()> {
        if !error.is_none() {
            self.failures.push(error.unbind());
            return Ok(());
        }
        let offset = message.call_method0(pyo3::intern!(message.py(), "offset"))?;
        if offset.is_none() {
            self.failures.push(offset.unbind());
            return Ok(());
        }
        let offset: i64 = offset.extract()?;
        self.lowest = Some(self.lowest.map_or(offset, |lowest| lowest.min(offset)));
        self.highest = Some(self.highest.map_or(offset, |highest| highest.max(offset)));
        Ok(())
    }

    /// The errors, None for a delivery without an offset, in the order of the reports.
    #[getter]
    fn failures(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.failures.iter().map(|error| error.clone_ref(py)).collect()
    }

    /// The lowest and the highest offset, None where nothing was delivered.
    #[getter]
    fn offsets(&self) -> Option<(i64, i64)> {
        self.lowest.zip(self.highest)
    }
}

/// Return the members of an object but for `list`, as they are written, and the elements of `list`.
///
/// None for what is out of the ordinary.
#[pyfunction]
#[allow(clippy::type_complexity)]
fn cut<'a>(
    py: Python<'a>,
    text: &Bound<'a, PyBytes>,
    list: &str,
) -> PyResult<Option<(Bound<'a, PyDict>, Bound<'a, PyList>)>> {
    let bytes = text.as_bytes();
    let Some(found) = py.detach(|| page::cut(bytes, list.as_bytes())) else { return Ok(None) };
    let members = PyDict::new(py);
    for (name, value) in found.members {
        members.set_item(PyString::from_bytes(py, name.of(bytes))?, PyBytes::new(py, value.of(bytes)))?;
    }
    let elements = PyList::new(py, found.elements.iter().map(|span| PyBytes::new(py, span.of(bytes))))?;
    Ok(Some((members, elements)))
}

#[pymodule]
fn contentwire_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", INTERFACE)?;
    module.add_class::<Reader>()?;
    module.add_class::<Item>()?;
    module.add_class::<Route>()?;
    module.add_class::<Deliveries>()?;
    module.add_class::<Writer>()?;
    module.add_class::<row::Rows>()?;
    module.add_function(wrap_pyfunction!(cut, module)?)
}
