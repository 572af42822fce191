//! A graph under construction: each step adds an operator and names what it gives.

use std::collections::BTreeSet;

use super::proto::{
    AttributeProto, DimensionProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto, attribute, element,
};

/// A graph under construction. Every value has a name of its own; the names of inputs come first and stay as they are.
pub(super) struct Graph {
    graph: GraphProto,
    taken: BTreeSet<String>,
}

impl Graph {
    /// A graph of this name.
    pub(super) fn new(name: &str) -> Self {
        Self {
            graph: GraphProto { name: Some(name.into()), ..GraphProto::default() },
            taken: BTreeSet::new(),
        }
    }

    /// Adds an input of N rows and one column. All inputs are added before anything else.
    pub(super) fn input(&mut self, name: &str, element: i32) {
        self.taken.insert(name.into());
        self.graph.input.push(column(name, element));
    }

    /// The nodes so far compute what the graph gives.
    pub(super) fn finish(self) -> GraphProto {
        self.graph
    }

    /// Adds an output of N rows and one column, as near to this name as the inputs leave free: what `value` is.
    pub(super) fn output(&mut self, wanted: &str, value: &str, element: i32) {
        let name = self.fresh(wanted);
        self.add("Identity", "", &[value], &name, Vec::new());
        self.graph.output.push(column(&name, element));
    }

    /// Adds an operator of `ai.onnx`, and names what it gives.
    pub(super) fn step(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.step_with(operator, inputs, Vec::new())
    }

    /// The same with attributes.
    pub(super) fn step_with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let output = self.fresh(&format!("syndic/{operator}"));
        self.add(operator, "", inputs, &output, attributes);
        output
    }

    /// Adds an operator of `ai.onnx.ml`, and names what it gives.
    pub(super) fn ml_step(&mut self, operator: &str, input: &str, attributes: Vec<AttributeProto>) -> String {
        let output = self.fresh(&format!("syndic/{operator}"));
        self.add(operator, ML, &[input], &output, attributes);
        output
    }

    /// Values side by side, as one matrix.
    pub(super) fn beside(&mut self, columns: &[String]) -> String {
        match columns {
            [only] => only.clone(),
            columns => {
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                self.step_with("Concat", &columns, vec![integer("axis", 1)])
            }
        }
    }

    /// The value as another type of element.
    pub(super) fn cast(&mut self, value: &str, element: i32) -> String {
        self.step_with("Cast", &[value], vec![integer("to", i64::from(element))])
    }

    /// Adds 64-bit floats of this shape.
    pub(super) fn doubles(&mut self, shape: &[usize], values: &[f64]) -> String {
        let tensor = doubles(shape, values);
        self.constant(tensor)
    }

    /// Adds one 64-bit float, of shape 1 x 1.
    pub(super) fn double(&mut self, value: f64) -> String {
        self.doubles(&[1, 1], &[value])
    }

    /// Adds 64-bit integers in a row.
    pub(super) fn integers(&mut self, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(tensor(&[values.len()], element::INT64, bytes))
    }

    /// Adds truth values of this shape.
    pub(super) fn truths(&mut self, shape: &[usize], values: &[bool]) -> String {
        let bytes = values.iter().map(|value| u8::from(*value)).collect();
        self.constant(tensor(shape, element::BOOL, bytes))
    }

    fn constant(&mut self, mut tensor: TensorProto) -> String {
        let name = self.fresh("syndic/constant");
        tensor.name = Some(name.clone());
        self.graph.initializer.push(tensor);
        name
    }

    fn add(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|input| (*input).into()).collect(),
            output: vec![output.into()],
            name: Some(output.into()),
            op_type: Some(operator.into()),
            attribute,
            domain: Some(domain.into()),
        });
    }

    /// A name that nothing has yet.
    fn fresh(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{wanted}_{count}");
        }
        name
    }
}

/// A tensor of 64-bit floats.
pub(super) fn doubles(shape: &[usize], values: &[f64]) -> TensorProto {
    tensor(shape, element::DOUBLE, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn tensor(shape: &[usize], element: i32, bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&length| length as i64).collect(),
        data_type: Some(element),
        name: None,
        raw_data: Some(bytes),
    }
}

fn column(name: &str, element: i32) -> ValueInfoProto {
    let rows = DimensionProto { dim_param: Some("N".into()), ..DimensionProto::default() };
    let one = DimensionProto { dim_value: Some(1), ..DimensionProto::default() };
    let shape = Some(TensorShapeProto { dim: vec![rows, one] });
    let tensor_type = Some(TensorTypeProto { elem_type: Some(element), shape });
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type }), doc_string: None }
}

fn named(name: &str, kind: i32) -> AttributeProto {
    AttributeProto { name: Some(name.into()), kind: Some(kind), ..AttributeProto::default() }
}

/// An attribute that is one integer.
pub(super) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..named(name, attribute::INT) }
}

/// An attribute that is a list of integers.
pub(super) fn integers(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { ints: values, ..named(name, attribute::INTS) }
}

/// An attribute that is a text.
pub(super) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..named(name, attribute::STRING) }
}

/// An attribute that is a list of texts.
pub(super) fn texts<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> AttributeProto {
    AttributeProto {
        strings: values.into_iter().map(Into::into).collect(),
        ..named(name, attribute::STRINGS)
    }
}

/// An attribute that is a tensor.
pub(super) fn tensor_of(name: &str, mut value: TensorProto) -> AttributeProto {
    value.name = Some(name.into());
    AttributeProto { t: Some(value), ..named(name, attribute::TENSOR) }
}

/// The domain of operators for what statistics and machine learning used before networks.
pub(super) const ML: &str = "ai.onnx.ml";
