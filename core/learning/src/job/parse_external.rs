//! Reads the section `[program]` of training by an external trainer.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parse::narrow;
use super::parse_others::refuse_other_programs;
use super::program::ProgramTerms;
use super::reader::{Reader, Section};
use crate::program::external::terms::{EXAMPLE, ExternalTerms, Tensor};

/// The terms; none where one is missing.
pub(super) fn external(reader: &mut Reader<'_>, mut program: Section<'_>) -> Option<ProgramTerms> {
    let section = &mut program;
    let name_it =
        format!("name the trainer that institutions run, and its version: `trainer = \"{EXAMPLE}\"`");
    reader.require(section, "trainer", &name_it);
    reader.require(section, "clip", "bound what a round may change each number by: `clip = 4.0`");
    reader.require(
        section,
        "tensors",
        "name what is learnt: `tensors = [{ name = \"weights\", shape = [12] }]`",
    );
    let trainer = reader.text(section, "trainer").map(Spanned::into_inner);
    let clip = reader.number(section, "clip").map(Spanned::into_inner);
    let seed = reader.integer(section, "seed", 0..=u64::from(u32::MAX)).map_or(0, narrow);
    let settings = settings(reader, section);
    let sections = reader.sections(section, "tensors", "[[program.tensors]]");
    let tensors: Option<Vec<Tensor>> = sections.into_iter().map(|section| tensor(reader, section)).collect();
    let span = program.span.clone();
    refuse_other_programs(reader, &mut program);
    reader.close(program);
    let terms =
        ExternalTerms { trainer: trainer?, clip: clip?, seed, settings: settings?, tensors: tensors? };
    if let Err(problem) = terms.check() {
        reader.add("job.external", span, problem, "correct the terms of [program]");
    }
    Some(ProgramTerms::External(Box::new(terms)))
}

fn tensor(reader: &mut Reader<'_>, mut section: Section<'_>) -> Option<Tensor> {
    reader.require(&mut section, "name", "name the tensor: `name = \"weights\"`");
    reader.require(&mut section, "shape", "say how many numbers it has along each axis: `shape = [12, 8]`");
    let name = reader.text(&mut section, "name").map(Spanned::into_inner);
    let shape = reader.numbers(&mut section, "shape");
    let normal = reader.number(&mut section, "normal").map(Spanned::into_inner);
    let shape = shape.and_then(|shape| {
        let is_extent = |x: &f64| *x >= 1.0 && *x <= f64::from(u32::MAX) && libm::trunc(*x) == *x;
        if shape.get_ref().iter().all(is_extent) {
            return Some(shape.into_inner().into_iter().map(|extent| extent as u32).collect());
        }
        let message = "`shape` has an extent that is not a whole number from 1 on";
        reader.add("job.external", Some(shape.span()), message, "write whole numbers: `shape = [12, 8]`");
        None
    });
    reader.close(section);
    Some(Tensor { name: name?, shape: shape?, normal })
}

/// The settings; none where they have no JSON form.
fn settings(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Map<String, Value>> {
    let Some((_, value)) = section.entry("settings") else { return Some(Map::new()) };
    let read = match value.get_ref() {
        DeValue::Table(table) => object(table),
        _ => None,
    };
    if read.is_none() {
        let message = "`settings` is no table of texts, finite numbers, booleans, arrays and tables";
        let help = "write dates as strings; the trainer gets the table as JSON";
        reader.add("job.external", Some(value.span()), message, help);
    }
    read
}

fn object(table: &DeTable<'_>) -> Option<Map<String, Value>> {
    table.iter().map(|(key, value)| Some((key.get_ref().to_string(), json(value.get_ref())?))).collect()
}

/// What JSON can say.
fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(integer) => {
            Value::Number(i64::from_str_radix(integer.as_str(), integer.radix()).ok()?.into())
        }
        DeValue::Float(float) => Value::Number(serde_json::Number::from_f64(float.as_str().parse().ok()?)?),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => Value::Object(object(table)?),
        DeValue::Datetime(_) => return None,
    })
}
