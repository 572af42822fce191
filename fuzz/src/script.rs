//! Reading fuzz input as a little program: whatever the bytes, something is read.

/// The bytes that are left.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; zero at the end.
    pub(crate) fn u8(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// The next `LEN` bytes, with zeros where there are fewer.
    pub(crate) fn array<const LEN: usize>(&mut self) -> [u8; LEN] {
        let mut array = [0; LEN];
        let (bytes, rest) = self.0.split_at(LEN.min(self.0.len()));
        array[..bytes.len()].copy_from_slice(bytes);
        self.0 = rest;
        array
    }

    /// A field behind its length in 16 bits; all that is left where that is less.
    pub(crate) fn field(&mut self) -> &'a [u8] {
        let length = usize::from(self.u16()).min(self.0.len());
        let (field, rest) = self.0.split_at(length);
        self.0 = rest;
        field
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// What [`Script::field`] reads as these fields.
pub(crate) fn fields<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut script = Vec::new();
    for field in fields {
        let field = field.as_ref();
        script.extend(u16::try_from(field.len()).expect("seeds are short").to_be_bytes());
        script.extend(field);
    }
    script
}

/// `bytes` behind the byte that chooses how a target reads them.
pub(crate) fn choosing(choice: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&[choice], bytes.as_ref()].concat()
}

/// The byte that chooses and the rest.
pub(crate) fn chosen(input: &[u8]) -> (u8, &[u8]) {
    input.split_first().map_or((0, input), |(choice, rest)| (*choice, rest))
}
