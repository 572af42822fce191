//! How inputs come into a network: as they are, or a level of a categorical column as a vector that is learnt.
//!
//! Guo and Berkhahn, "Entity embeddings of categorical variables", arXiv 1604.06737, 2016. A column is embedded that has more
//! positions than a vector has numbers: with fewer its 0/1 inputs are the narrower of the two. A missing level has a vector as any
//! level has. All vectors begin at zero, so that a level that no training row has keeps it: it moves no unit.

use crate::contract::Contract;

/// Which inputs go where: those of the first layer are the values of columns that are not embedded, and the numbers of the
/// vectors of those that are, in the order of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of each input, in the contract's order.
    places: Vec<Place>,
    /// Inputs of the first layer.
    width: usize,
    /// Numbers of a vector; none where nothing is embedded.
    dimension: usize,
    /// Parameters of all vectors, which come before those of the layers.
    vectors: usize,
}

/// Where an input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into the first layer as it is.
    Plain(usize),
    /// Its vector, at this parameter, goes into the first layer from this place on.
    Vector {
        /// The first parameter of the vector.
        from: usize,
        /// The first of the layer's inputs.
        to: usize,
    },
}

impl Entry {
    /// So many inputs as they are.
    pub fn plain(inputs: usize) -> Self {
        Self { places: (0..inputs).map(Place::Plain).collect(), width: inputs, dimension: 0, vectors: 0 }
    }

    /// The inputs of rows under `contract`, with vectors of so many numbers where there are any.
    pub fn of(contract: &Contract, embedding: Option<u32>) -> Self {
        let Some(dimension) = embedding else { return Self::plain(contract.inputs()) };
        let dimension = dimension as usize;
        let mut entry = Self { places: Vec::new(), width: 0, dimension, vectors: 0 };
        for column in &contract.columns {
            if let Some(positions) = column.positions().filter(|positions| *positions > dimension) {
                let (from, to) = (entry.vectors, entry.width);
                let vector = |position| Place::Vector { from: from + position * dimension, to };
                entry.places.extend((0..positions).map(vector));
                entry.vectors += positions * dimension;
                entry.width += dimension;
            } else {
                let to = entry.width;
                entry.places.extend((to..to + column.inputs()).map(Place::Plain));
                entry.width += column.inputs();
            }
        }
        entry
    }

    /// Inputs of the contract.
    pub fn inputs(&self) -> usize {
        self.places.len()
    }

    /// Inputs of the first layer.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Numbers of a vector.
    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Parameters of all vectors.
    pub(crate) fn vectors(&self) -> usize {
        self.vectors
    }

    /// Where an input goes.
    pub(crate) fn place(&self, input: usize) -> Place {
        self.places[input]
    }
}

/// For each column of the contract with vectors of so many numbers its positions; the columns are those of [`Entry::of`].
pub(crate) fn embedded(contract: &Contract, embedding: Option<u32>) -> Vec<Option<usize>> {
    let dimension = embedding.map_or(usize::MAX, |dimension| dimension as usize);
    contract
        .columns
        .iter()
        .map(|column| column.positions().filter(|positions| *positions > dimension))
        .collect()
}

/// The most numbers of a vector.
pub const MOST_DIMENSION: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_column_with_more_levels_than_a_vector_has_numbers_is_embedded() {
        // Age, three jobs, balance.
        let mut contract = fixture::contract();
        assert_eq!(Entry::of(&contract, None), Entry::plain(5));
        let entry = Entry::of(&contract, Some(2));
        assert_eq!((entry.inputs(), entry.width(), entry.vectors()), (5, 4, 6));
        let places: Vec<Place> = (0..5).map(|input| entry.place(input)).collect();
        let vector = |from| Place::Vector { from, to: 1 };
        assert_eq!(places, [Place::Plain(0), vector(0), vector(2), vector(4), Place::Plain(3)]);
        assert_eq!(embedded(&contract, Some(2)), [None, Some(3), None]);
        assert_eq!(embedded(&contract, None), [None; 3]);
        // Three positions are no more than three numbers; with a missing level they are four.
        assert_eq!(Entry::of(&contract, Some(3)).vectors(), 0);
        contract.columns.iter_mut().for_each(|column| column.nullable = true);
        let entry = Entry::of(&contract, Some(3));
        assert_eq!((entry.inputs(), entry.width(), entry.vectors()), (8, 7, 12));
    }
}
