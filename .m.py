import re
exec(open('.ed.py').read())
def both(p, order='ho'):
    s=open(p).read()
    def f(m):
        h,o=m.group(1),m.group(2)
        return h+o if order=='ho' else o+h
    s=re.sub(r"<<<<<<< HEAD\n(.*?)=======\n(.*?)>>>>>>> [^\n]*\n",f,s,flags=re.S); open(p,'w').write(s)
def pick(p,which):
    s=open(p).read()
    it=iter(which)
    def f(m):
        w=next(it)
        return m.group(1) if w=='h' else m.group(2) if w=='o' else w
    s=re.sub(r"<<<<<<< HEAD\n(.*?)=======\n(.*?)>>>>>>> [^\n]*\n",f,s,flags=re.S); open(p,'w').write(s)
pick('idl/org.dosvc.xml',['''           order in which they are to stand in the file) · Directory h (O_PATH descriptor of the destination's directory) · IntegrityCheckInfo s ·
           IntegrityCheckMandatory b · DecryptionInfo s (see File1).
           At most 1000 in one call. All or none are added. In the DO family a path may be empty, and in a download the url: they
           come later, by SetPath and SetUrl. A job that is running takes no file without path.
''','''    <!-- The destination of a file that came without one, or another one before its first byte. options: Umask u · Directory h, as in
         CreateJob. Only while the job does not run, and a download's before its first Start. -->
    <method name="SetPath">
      <arg name="path" type="ay" direction="in"/>
      <arg name="options" type="a{sv}" direction="in"/>
    </method>
    <!-- All or none, as long as the file is still to be fetched: IntegrityCheckInfo s · IntegrityCheckMandatory b · DecryptionInfo s. The
         texts are JSON, "" takes one away; they can be set and never read. docs/formats/ describes what they stand for. And, when
         SetPath may be called: FileId s ("": none) · Size t (stated size). -->
'''])
pick('src/bus/bus_file.c',['o','o'])
pick('src/bus/options.c',['''                [OPTION_STRING] = "s",  [OPTION_FAMILY] = "s",  [OPTION_KIND] = "s",       [OPTION_PRIORITY] = "s",
                [OPTION_U32] = "u",     [OPTION_UMASK] = "u",   [OPTION_SECONDS] = "t",    [OPTION_BOOL] = "b",
                [OPTION_SIZE] = "t",    [OPTION_FLAG] = "b",
''','''                { "FileId", OPTION_STRING, offsetof(struct manager_file_properties, file_id) },
                { "Size", OPTION_SIZE, offsetof(struct manager_file_properties, stated_size) },
                { "IntegrityCheckInfo", OPTION_STRING, offsetof(struct manager_file_properties, integrity_info) },
                { "IntegrityCheckMandatory", OPTION_BOOL, offsetof(struct manager_file_properties, integrity_mandatory) },
                { "DecryptionInfo", OPTION_STRING, offsetof(struct manager_file_properties, decryption_info) },
'''])
s=open('src/job/job_spec.c').read()
s=s.replace("<<<<<<< HEAD\n","").replace("""int job_file_spec_check(const struct job_file_spec *spec, enum job_family family _unused_, size_t max_ranges) {
=======
""","")
s=re.sub(r">>>>>>> [^\n]*\n","",s); open('src/job/job_spec.c','w').write(s)
pick('src/manager/commands.c',['o','        if (!manager_command_allowed(m, job, JOB_COMMAND_SET_URL, reply))\n','        if (!manager_command_allowed(m, job, JOB_COMMAND_SET_URL, reply))\n'])
s=open('src/manager/commands.c').read()
s=re.sub(r"(?<!manager_)command_allowed\(","manager_command_allowed(",s)
i=s.index("void manager_set_file_properties("); j=s.index("void manager_replace_url_prefix(")
s=s[:i]+s[j:]
open('src/manager/commands.c','w').write(s)
pick('src/manager/meson.build',["        files('checkpoint.c', 'clients.c', 'commands.c', 'commit.c', 'create.c', 'fetch.c', 'integrity.c', 'manager.c', 'notify.c', 'publish.c', 'pump.c', 'run.c'),\n"])
both('src/manager/private.h')
s=open('src/manager/private.h').read(); s=s.replace("struct job_file *file);\n/* clients.c */","struct job_file *file);\n\n/* clients.c */"); open('src/manager/private.h','w').write(s)
sub('src/manager/manager.h',("""struct manager_file_properties {
        const char *file_id;  /* NULL: leave it; "": none */
        uint64_t stated_size; /* or MANAGER_SIZE_UNCHANGED; SIZE_UNKNOWN: none */
};
#define MANAGER_FILE_PROPERTIES_NONE ((struct manager_file_properties){ .stated_size = MANAGER_SIZE_UNCHANGED })
/* All or none. */
void manager_set_file_properties(struct manager *manager, struct job_file *file, const struct manager_file_properties *properties,
                                 manager_reply_fn reply, void *userdata);
""",""),
("""        const char *decryption_info;
};
#define MANAGER_FILE_PROPERTIES_NONE ((struct manager_file_properties){ .integrity_mandatory = -1 })
""","""        const char *decryption_info;
        const char *file_id;
        uint64_t stated_size; /* or MANAGER_SIZE_UNCHANGED; SIZE_UNKNOWN: none */
};
#define MANAGER_FILE_PROPERTIES_NONE                                                                                 \\
        ((struct manager_file_properties){ .integrity_mandatory = -1, .stated_size = MANAGER_SIZE_UNCHANGED })
"""))
sub('src/manager/integrity.c',("""        int r = 0;

        if (p->integrity_info)
                r = job_file_set""","""        int r = 0;

        if (p->file_id)
                r = job_file_set_id(file, p->file_id, now);
        if (r == 0 && p->stated_size != MANAGER_SIZE_UNCHANGED)
                r = job_file_set_stated_size(file, p->stated_size, now);
        if (r == 0 && p->integrity_info)
                r = job_file_set"""),
("""        /* After these checks only the file's state can be in the way, and it is the same for all three. */
        if (r == 0)""","""        if (r == 0 && (properties->file_id || properties->stated_size != MANAGER_SIZE_UNCHANGED) &&
            job_command_verdict(job, JOB_COMMAND_SET_SINK) != JOB_VERDICT_OK)
                r = ERROR_INVALID_STATE;
        /* After these checks only the file's state can be in the way, and it is the same for all of them. */
        if (r == 0)"""))
sub('src/job/job_file.c',("""        int r;

        if (!utf8_is_valid(file_id""","""        int r;

        if (file->state != FILE_PENDING)
                return ERROR_INVALID_STATE;
        if (!utf8_is_valid(file_id"""),
("""        if (size != SIZE_UNKNOWN && size""","""        if (file->state != FILE_PENDING)
                return ERROR_INVALID_STATE;
        if (size != SIZE_UNKNOWN && size"""))
