# A stand-in for nixpkgs' library, with what the files here use and nothing else, so that they evaluate where there is no
# nixpkgs. Whatever evaluates with it must mean the same with the real one.
let
  inherit (builtins)
    attrNames
    concatStringsSep
    elemAt
    filter
    genList
    isString
    length
    listToAttrs
    replaceStrings
    split
    stringLength
    substring
    ;

  lower = [ "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z" ];
  upper = [ "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z" ];

  # What means something else in a regular expression.
  special = [ "\\" "." "[" "]" "(" ")" "{" "}" "^" "$" "*" "+" "?" "|" ];

  lib = {
    inherit (builtins) mapAttrs;

    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    optionalAttrs = condition: values: if condition then values else { };
    optionalString = condition: text: if condition then text else "";

    nameValuePair = name: value: { inherit name value; };
    filterAttrs =
      isWanted: values:
      listToAttrs (
        map (name: lib.nameValuePair name values.${name}) (
          filter (name: isWanted name values.${name}) (attrNames values)
        )
      );
    mapAttrs' =
      make: values: listToAttrs (map (name: make name values.${name}) (attrNames values));
    genAttrs = names: make: listToAttrs (map (name: lib.nameValuePair name (make name)) names);

    take = count: values: genList (elemAt values) (if count < length values then count else length values);
    drop =
      count: values:
      genList (place: elemAt values (place + count)) (
        if count < length values then length values - count else 0
      );
    last = values: elemAt values (length values - 1);
    unique = builtins.foldl' (
      found: value: if builtins.elem value found then found else found ++ [ value ]
    ) [ ];

    concatMapStringsSep =
      separator: make: values:
      concatStringsSep separator (map make values);
    splitString =
      separator: text:
      filter isString (split (replaceStrings special (map (sign: "\\" + sign) special) separator) text);
    toLower = replaceStrings upper lower;
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    removePrefix =
      prefix: text:
      if lib.hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    hasSuffix =
      suffix: text:
      let
        begin = stringLength text - stringLength suffix;
      in
      begin >= 0 && substring begin (-1) text == suffix;
    removeSuffix =
      suffix: text:
      if lib.hasSuffix suffix text then
        substring 0 (stringLength text - stringLength suffix) text
      else
        text;

    literalExpression = text: {
      _type = "literalExpression";
      inherit text;
    };
    cleanSourceWith = { src, ... }: src;
    licenses = {
      mit = { };
      asl20 = { };
    };
  }
  // import ./modules.nix { inherit lib; }
  // {
    types = import ./types.nix { inherit lib; };
  };
in
lib
