# shellcheck shell=bash
# The content that ./try archives: a copy of a real tree, things that backups get wrong, and changes to both.

# shellcheck disable=SC2154 # work is set by the script that includes this
# fill DISK COUNT: copies so many real files of this machine into DISK/home, srv and root.
fill() {
    local disk=$1 count=$2 list have copy=1
    list=$(mktemp "$work/list.XXXXXX")
    for tree in /usr/share /usr/lib /usr/include /etc "${RUSTUP_HOME:-$HOME/.rustup}" "${CARGO_HOME:-$HOME/.cargo}/registry/src"; do
        [ -d "$tree" ] || continue
        find "$tree" -xdev -type f -size -300k -printf '%P\0' 2>/dev/null | sed -z "s|^|$tree/|"
    done | awk -v RS='\0' -v ORS='\0' -v most="$count" 'NR <= most' > "$list"
    have=$(tr -dc '\0' < "$list" | wc -c)
    [ "$have" -gt 1000 ] || fail "this machine has too few files to copy"
    echo "  copying $count files of this machine …"
    # Six tenths to home, three to srv, one to root; on a small machine more than once.
    while [ $((have * (copy - 1))) -lt "$count" ]; do
        awk -v RS='\0' -v ORS='\0' 'NR % 10 < 6' "$list" | copy_into "$disk/home/copy-$copy"
        awk -v RS='\0' -v ORS='\0' 'NR % 10 >= 6 && NR % 10 < 9' "$list" | copy_into "$disk/srv/copy-$copy"
        awk -v RS='\0' -v ORS='\0' 'NR % 10 == 9' "$list" | copy_into "$disk/root/copy-$copy"
        copy=$((copy + 1))
    done
    rm "$list"
}

copy_into() {
    mkdir -p "$1"
    tar --create --null --files-from=- --absolute-names --ignore-failed-read 2>/dev/null |
        tar --extract --directory "$1" --strip-components=0 --transform='s|^/||' --absolute-names 2>/dev/null || true
}

# odd_things DIRECTORY: what backups get wrong.
odd_things() {
    local d=$1/odd
    mkdir -p "$d"/{links,sparse,attributes,compressed,nocow,names,modes,special}
    echo one > "$d/links/file"
    ln "$d/links/file" "$d/links/hard"
    ln "$d/links/file" "$d/attributes/hard from elsewhere"
    ln -s file "$d/links/soft"
    ln -s /nowhere/at/all "$d/links/dangling"
    ln -s "$(printf 'x%.0s' {1..3000})" "$d/links/long"
    truncate -s 300M "$d/sparse/hole"
    printf end | dd of="$d/sparse/hole" bs=1 seek=$((150 << 20)) conv=notrunc status=none
    head -c 1000000 /dev/urandom > "$d/sparse/punched"
    fallocate --punch-hole --offset 200000 --length 400000 "$d/sparse/punched"
    fallocate --length 5000000 "$d/sparse/preallocated"
    for name in xattr acl capability; do echo $name > "$d/attributes/$name"; done
    setfattr -n user.comment -v "some words" "$d/attributes/xattr"
    setfattr -n user.binary -v 0x00ff0a00 "$d/attributes/xattr"
    setfacl -m u:12345:rw,g:23456:r "$d/attributes/acl"
    setfacl -d -m u:12345:rwx "$d/attributes"
    setcap cap_net_raw+ep "$d/attributes/capability"
    btrfs property set "$d/compressed" compression zstd
    seq 200000 > "$d/compressed/numbers"
    cp --reflink=always "$d/compressed/numbers" "$d/compressed/reflink"
    head -c 3000000 /dev/urandom > "$d/links/original"
    cp --reflink=always "$d/links/original" "$d/links/reflink"
    chattr +C "$d/nocow"
    head -c 2000000 /dev/urandom > "$d/nocow/database"
    echo latin > "$d/names/$(printf 'caf\xe9')"
    echo lines > "$d/names/"$'two\nlines'
    echo quotes > "$d/names/ '\"\$(x)\`\\ "
    echo dash > "$d/names/-rf"
    echo long > "$d/names/$(printf 'n%.0s' {1..255})"
    echo suid > "$d/modes/suid"; chmod 4755 "$d/modes/suid"
    echo none > "$d/modes/none"; chmod 0000 "$d/modes/none"
    echo owned > "$d/modes/owned"; chown 4294967290:12345 "$d/modes/owned"
    mkdir "$d/modes/sticky"; chmod 1777 "$d/modes/sticky"
    touch -d '1980-01-01 00:00:00.123456789' "$d/modes/old"
    mkfifo "$d/special/fifo"
    mknod "$d/special/block" b 7 200
    mknod "$d/special/char" c 1 3
    mkdir "$d/empty"
}

# change DIRECTORY ROUND: edits, renames, deletes, truncates, clones, and new files.
change() {
    local d=$1 round=$2 odd=$1/odd list file number=0
    list=$(mktemp "$work/list.XXXXXX")
    find "$d" -path "$d/.subvault" -prune -o -path "$odd" -prune -o -type f -print0 | sort -z |
        awk -v RS='\0' -v ORS='\0' -v round="$round" 'NR % 61 == round' > "$list"
    while IFS= read -r -d '' file; do
        number=$((number + 1))
        case $((number % 6)) in
            0) rm "$file" ;;
            1) echo "changed in round $round" >> "$file" ;;
            2) mv "$file" "$file.renamed" ;;
            3) truncate -s 100 "$file" ;;
            4) ln "$file" "$file.linked" ;;
            5) chmod 0640 "$file" && chown 1000:1000 "$file" && setfattr -n user.round -v "$round" "$file" ;;
        esac
    done < "$list"
    rm "$list"
    mv "$odd/modes/sticky" "$odd/moved-$round" && mkdir "$odd/modes/sticky"
    mv "$odd/links" "$odd/links-$round" && ln -s "links-$round" "$odd/links"
    cp --reflink=always "$odd/links/original" "$odd/clone-$round"
    printf 'round %s' "$round" | dd of="$odd/clone-$round" bs=1 seek=1000000 conv=notrunc status=none
    fallocate --punch-hole --offset $((round * 8192)) --length 65536 "$odd/clone-$round"
    printf 'round %s' "$round" | dd of="$odd/nocow/database" bs=1 seek=$((round * 100000)) conv=notrunc status=none
    rm "$odd/links/soft" && mkdir "$odd/links/soft" && echo inside > "$odd/links/soft/file"
    rm -rf "$odd/empty" && echo "a file now" > "$odd/empty"
    truncate -s $((100 << 20)) "$odd/sparse/hole"
    setfattr -n user.round -v "$round" "$odd/attributes/xattr"
    setfattr -x user.binary "$odd/attributes/xattr" 2>/dev/null || true
    setfacl -b "$odd/attributes/acl"
    head -c 5000000 /dev/urandom > "$odd/new-$round"
    # For the next round to do the same again.
    rm -rf "$odd/links/soft" && ln -s file "$odd/links/soft"
    rm "$odd/empty" && mkdir "$odd/empty"
    rm "$odd/links" 2>/dev/null || true
    mv "$odd/links-$round" "$odd/links"
    mv "$odd/links" "$odd/links-moved-$round" && cp -a --reflink=always "$odd/links-moved-$round" "$odd/links"
}
