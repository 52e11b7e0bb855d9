include $(sort $(wildcard $(BR2_EXTERNAL_HUB_PATH)/package/*/*.mk))

# libtool has programs look for their libraries in the folders of the machine that built them: nobody's on a card, and other
# bytes wherever that machine keeps its work. The loader finds what the root has without it.
define HUB_NO_RUNPATH
	find $(@D) -name libtool -type f -exec sed -i \
		-e 's/^hardcode_libdir_flag_spec=.*/hardcode_libdir_flag_spec=""/' \
		-e 's/^runpath_var=.*/runpath_var=HUB_NO_RUNPATH/' {} +
endef
$(foreach package,$(filter-out host-%,$(PACKAGES)),\
	$(eval $(call UPPERCASE,$(package))_POST_CONFIGURE_HOOKS += HUB_NO_RUNPATH))
