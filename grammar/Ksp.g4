// The .ksp language, version 1. Rules stand in the order of docs/language/guide.md.
//
// Every decision here is made on one token of lookahead; the build fails if that stops being true. This is what keeps
// parsing linear in the text, whatever the text. What a grammar cannot say in plain words is left to compiler/syntax:
// limits, balance of brackets, escapes, words of later versions, `and` beside `or`, chained comparisons.
grammar Ksp;

file: version? item* EOF;
version: 'ksp' INT;
item: packageDecl | importDecl | letDecl | defDecl | ruleDecl | tuneDecl | testDecl | allow;

// ---- Packages --------------------------------------------------------------------------------------------------------
packageDecl: 'package' path;
importDecl: 'import' ID ('.' (name | importNames))*;
importNames: '{' ID (',' ID?)* '}';

// ---- Values and predicates -------------------------------------------------------------------------------------------
letDecl: 'let' ID (':' type)? ('=' expression | 'from' text);
type: ID ('<' ID '>')?;
defDecl: 'def' ID parameters? '=' expression;
parameters: '(' parameter (',' parameter?)* ')';
parameter: ID ':' ID;

// ---- Rules -----------------------------------------------------------------------------------------------------------
ruleDecl: 'rule' ID text? '{' clause* '}';
clause: severity | attack | on | when | sequence | except | meta | limit | maxKeys | disclose | ref | status | allow | alert;
severity: 'severity' ID;
attack: 'attack' ATTACK (',' ATTACK)*;
on: 'on' kinds;
kinds: ID ('|' ID)* ('where' expression)?;
except: 'except' text 'where' expression;
// Of the exception that it follows; of the rule, if it is an `owner` and follows none.
meta: 'owner' text | 'expires' DATE | 'ticket' text;
disclose: 'disclose' path (',' path)* text;
ref: 'ref' text;
status: 'status' ID;
allow: 'allow' ID text;
alert: 'alert' text;

// ---- State -----------------------------------------------------------------------------------------------------------
// What is mandatory of these, sema knows better how to ask for.
when: 'when' ID ('(' (path (',' path?)*)? ')')? (('==' | '!=' | '<' | '<=' | '>' | '>=') operand)? by? within?;
sequence: 'sequence' 'unordered'? by? within? '{' step* '}';
step: ('without' | 'until') kinds
    | ID (':' ID)? ('|' ID)* ('where' expression)? ('repeat' INT)?
    ;
by: 'by' path (',' path)*;
within: 'within' DURATION;
limit: 'limit' INT 'per' DURATION by?;
maxKeys: 'max' 'keys' INT;

// ---- Overlays --------------------------------------------------------------------------------------------------------
tuneDecl: 'tune' path 'in' text '{' change* '}';
change: severity | 'disable' | except | meta | limit | maxKeys;

// ---- Expressions -----------------------------------------------------------------------------------------------------
expression: unary (('and' | 'or') unary)*;
unary: 'not' unary | comparison;
comparison: operand check*;
check: ('==' | '!=' | '<' | '<=' | '>' | '>=') operand
     | 'not'? ('in' | 'like' | 'under') operand
     | ('contains' | 'has') ('any' | 'all')? operand
     | ('matches' | 'descends') operand
     | 'is' 'not'? ID
     | 'exists'
     ;
operand: reference | literal | list | '(' expression ')';
reference: path ('[' (INT | text) ']')? arguments?;
arguments: '(' (operand (',' operand?)*)? ')';
path: ID ('.' name)*;
list: '[' (operand (',' operand?)*)? ']';
literal: STRING | RAW_STRING | INT | HEX | OCTAL | DURATION | SIZE | IP | CIDR | ENDPOINT | DATE | 'true' | 'false';
text: STRING | RAW_STRING;

// Words of the language stay usable after a dot and as keys of records.
name: ID | 'ksp' | 'package' | 'import' | 'let' | 'from' | 'def' | 'rule' | 'severity' | 'attack' | 'on' | 'where' | 'except'
    | 'owner' | 'expires' | 'ticket' | 'disclose' | 'ref' | 'status' | 'allow' | 'alert' | 'when' | 'sequence' | 'unordered'
    | 'without' | 'until' | 'repeat' | 'by' | 'within' | 'limit' | 'per' | 'max' | 'keys' | 'tune' | 'disable' | 'and' | 'or'
    | 'not' | 'in' | 'like' | 'under' | 'contains' | 'has' | 'any' | 'all' | 'matches' | 'descends' | 'is' | 'exists' | 'true'
    | 'false' | 'test' | 'case' | 'with' | 'expect' | 'quiet' | 'every' | 'replay';

// ---- Tests -----------------------------------------------------------------------------------------------------------
testDecl: 'test' path ('in' text)? '{' testItem* '}';
testItem: testLet | testCase;
testLet: 'let' ID ':' ID '=' (record | ID ('with' record)?);
testCase: 'case' text '{' testStep* '}';
testStep: ('+' DURATION)? (feed | expect | repeat | replay);
feed: ID record;
expect: 'expect' ('quiet' | INT? 'alert' text? ('from' path)?);
repeat: 'repeat' INT ('every' DURATION)? '{' testStep* '}';
replay: 'replay' text;
record: '{' (field (',' field?)*)? '}';
field: name ':' value;
value: record | operand ('with' record)?;

// ---- Tokens ----------------------------------------------------------------------------------------------------------
// The longest match wins, then the first. The text is bytes; those of characters outside of ASCII arrive as one stand-in.
// Whether an address or an escape is a good one is checked later, so that the message can say what is wrong with it.
ATTACK: 'TA' D D D D | 'T' D D D D ('.' D+)?;
DATE: D D D D '-' D D '-' D D;
INT: '-'? D+;
HEX: '0x' X+;
OCTAL: '0o' [0-7]+;
DURATION: D+ ('ns' | 'us' | 'ms' | 's' | 'm' | 'h' | 'd');
SIZE: D+ ('B' | 'KiB' | 'MiB' | 'GiB');
IP: IP4 | IP6;
CIDR: (IP4 | IP6) '/' D+;
ENDPOINT: IP4 ':' D+ | '[' IP6 ']' ':' D+;
ID: [a-zA-Z_] [a-zA-Z0-9_]*;
STRING: '"' ('\\' ~[\r\n] | ~["\\\r\n])* '"';
RAW_STRING: 'r"' ~["\r\n]* '"' | 'r#"' RAW_TEXT '"'+ '#';
DOC: '##' ~[\n]* -> channel(HIDDEN);
COMMENT: '#' ~[\n]* -> channel(HIDDEN);
SPACE: [ \t\r\n]+ -> skip;

// What cannot be a token: taken as a whole, so that one mistake is reported once, in words.
OPEN_STRING: '"' ('\\' ~[\r\n] | ~["\\\r\n])* '\\'?;
OPEN_RAW_STRING: 'r"' ~["\r\n]* | 'r#"' RAW_TEXT '"'*;
BAD_NUMBER: D [0-9a-zA-Z_.]*;
FOREIGN: '&&' | '||' | '//' ~[\r\n]* | '\'' ~['\r\n]* '\'';
BAD: .;

fragment RAW_TEXT: (~["] | '"'+ ~["#])*;
fragment IP4: D+ '.' D+ '.' D+ '.' D+;
fragment IP6: X* ':' (X* ':')+ (X+ | IP4)?;
fragment D: [0-9];
fragment X: [0-9a-fA-F];
