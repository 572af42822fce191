// Verifies a ledger folder with the code of Go's checksum database and nothing of Syndic's: the signed
// checkpoint, every entry against its tile, the root, and proofs of inclusion and consistency.
//
//	auditor FOLDER VKEY
//
// Prints how many entries it verified. Of a file that ends in .tlog-proof it checks that its entry is in the log:
//
//	auditor FILE.tlog-proof VKEY
//
// Anything wrong ends it with a message and exit code 1.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Entries of a full bundle, and hashes of a full tile.
const width = 256

func main() {
	if len(os.Args) != 3 {
		fail("usage: auditor FOLDER|FILE.tlog-proof VKEY")
	}
	folder, vkey := os.Args[1], os.Args[2]
	if strings.HasSuffix(folder, ".tlog-proof") {
		proof(folder, vkey)
		return
	}
	size, root := checkpoint(read(folder, "checkpoint"), vkey)
	var stored hashes
	for start := int64(0); start < size; start += width {
		count := size - start
		if count > width {
			count = width
		}
		entries := bundle(folder, start/width, count)
		leaves := read(folder, "tile/0/"+place(start/width, count))
		for k, entry := range entries {
			hash := tlog.RecordHash(entry)
			if string(hash[:]) != string(leaves[k*tlog.HashSize:(k+1)*tlog.HashSize]) {
				fail("entry %d does not have the hash of its tile", start+int64(k))
			}
			if !json.Valid(entry) {
				fail("entry %d is not JSON", start+int64(k))
			}
			more, err := tlog.StoredHashesForRecordHash(start+int64(k), hash, stored)
			check(err)
			stored = append(stored, more...)
		}
	}
	computed, err := tlog.TreeHash(size, stored)
	check(err)
	if computed != root {
		fail("the entries lead to the root %v and the checkpoint names %v", computed, root)
	}
	for n := int64(0); n < size; n += 1 + size/64 {
		proof, err := tlog.ProveRecord(size, n, stored)
		check(err)
		leaf, err := stored.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		check(err)
		check(tlog.CheckRecord(proof, size, root, n, leaf[0]))
		older, err := tlog.TreeHash(n+1, stored)
		check(err)
		growth, err := tlog.ProveTree(size, n+1, stored)
		check(err)
		check(tlog.CheckTree(growth, size, root, n+1, older))
	}
	fmt.Printf("verified %d entries, root %v\n", size, root)
}

// Verifies a proof file: header, extra data (here the entry), index, hashes, an empty line, the checkpoint.
func proof(path, vkey string) {
	file, err := os.ReadFile(path)
	check(err)
	head, signed, found := strings.Cut(string(file), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("this is no proof")
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		fail("the proof has no entry or no index")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	check(err)
	if !json.Valid(entry) {
		fail("the entry is not JSON")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	check(err)
	var inclusion tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		inclusion = append(inclusion, hash)
	}
	size, root := checkpoint([]byte(signed), vkey)
	check(tlog.CheckRecord(inclusion, size, root, index, tlog.RecordHash(entry)))
	fmt.Printf("verified entry %d of %d, root %v\n", index, size, root)
}

// The size and root of the checkpoint, signed by the key.
func checkpoint(signed []byte, vkey string) (int64, tlog.Hash) {
	verifier, err := note.NewVerifier(vkey)
	check(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		fail("the checkpoint is not of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return size, root
}

// The entries of a bundle: each after its length in two bytes.
func bundle(folder string, number, count int64) [][]byte {
	bytes := read(folder, "tile/entries/"+place(number, count))
	var entries [][]byte
	for len(bytes) > 0 {
		if len(bytes) < 2 {
			fail("a bundle is cut short")
		}
		length := int(binary.BigEndian.Uint16(bytes))
		if len(bytes) < 2+length {
			fail("a bundle is cut short")
		}
		entries = append(entries, bytes[2:2+length])
		bytes = bytes[2+length:]
	}
	if int64(len(entries)) != count {
		fail("bundle %d has %d entries, not %d", number, len(entries), count)
	}
	return entries
}

// The name of a tile: three digits at a time, and how many it holds where it is not full.
func place(number, count int64) string {
	name := fmt.Sprintf("%03d", number%1000)
	for number >= 1000 {
		number /= 1000
		name = fmt.Sprintf("x%03d/%s", number%1000, name)
	}
	if count < width {
		name = fmt.Sprintf("%s.p/%d", name, count)
	}
	return name
}

func read(folder, path string) []byte {
	bytes, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(path)))
	check(err)
	return bytes
}

// The tree so far, as the checksum database numbers its hashes.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for k, index := range indexes {
		if index >= int64(len(h)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		found[k] = h[index]
	}
	return found, nil
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
