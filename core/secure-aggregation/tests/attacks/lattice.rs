//! What a lattice attack needs: LLL reduction (Lenstra, Lenstra and Lovász, 1982) and Babai's nearest plane (1986).

/// An LLL-reduced basis.
pub(crate) struct Reduced {
    basis: Vec<Vec<i64>>,
    /// Its Gram-Schmidt vectors, with their squared lengths.
    orthogonal: Vec<(Vec<f64>, f64)>,
}

/// Reduces `basis`, whose entries are far below 2^50.
pub(crate) fn reduce(mut basis: Vec<Vec<i64>>) -> Reduced {
    const DELTA: f64 = 0.99;
    let mut orthogonal: Vec<(Vec<f64>, f64)> = Vec::new();
    while orthogonal.len() < basis.len() {
        let k = orthogonal.len();
        let (done, rest) = basis.split_at_mut(k);
        for j in (0..k).rev() {
            let factor = projection(&rest[0], &orthogonal[j]).round() as i64;
            if factor != 0 {
                rest[0].iter_mut().zip(&done[j]).for_each(|(x, y)| *x -= factor * y);
            }
        }
        let mut vector: Vec<f64> = rest[0].iter().map(|&x| x as f64).collect();
        let mut last = 0.0;
        for earlier in &orthogonal {
            last = dot(&vector, &earlier.0) / earlier.1;
            vector.iter_mut().zip(&earlier.0).for_each(|(x, y)| *x -= last * y);
        }
        let length = dot(&vector, &vector);
        match orthogonal.last() {
            Some((_, before)) if length < (DELTA - last * last) * before => {
                basis.swap(k - 1, k);
                orthogonal.pop();
            }
            _ => orthogonal.push((vector, length)),
        }
    }
    Reduced { basis, orthogonal }
}

impl Reduced {
    /// A lattice point near `target`: the nearest one where the lattice is sparse enough.
    pub(crate) fn near(&self, target: &[f64]) -> Vec<i64> {
        let mut rest = target.to_vec();
        let mut point = vec![0; target.len()];
        for (vector, (direction, length)) in self.basis.iter().zip(&self.orthogonal).rev() {
            let factor = (dot(&rest, direction) / length).round();
            rest.iter_mut().zip(vector).for_each(|(x, &y)| *x -= factor * y as f64);
            point.iter_mut().zip(vector).for_each(|(x, &y)| *x += factor as i64 * y);
        }
        point
    }
}

fn projection(vector: &[i64], (direction, length): &(Vec<f64>, f64)) -> f64 {
    vector.iter().zip(direction).map(|(&x, y)| x as f64 * y).sum::<f64>() / length
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
